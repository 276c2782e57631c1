export interface AuditTables {
  readonly audit_chain: {
    readonly sequence: number;
    readonly position: string;
    readonly event_id: string;
    readonly hash: string;
  };
}
