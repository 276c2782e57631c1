/** Rows of migration 0080. */
export interface WorkspaceTables {
  readonly workspace_snapshots: { project: string; snapshot: string; applied_ms: number };
  readonly workspace_applied: { project: string; section: string; name: string; spec: string };
}
