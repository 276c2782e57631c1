import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { WorkspaceTables } from './workspace-tables.ts';

export async function findSnapshot(
  reader: Reader,
  project: string,
): Promise<{ readonly snapshot: string; readonly appliedMs: number } | undefined> {
  const row = await reader
    .query<WorkspaceTables>()
    .selectFrom('workspace_snapshots')
    .select(['workspace_snapshots.snapshot', 'workspace_snapshots.applied_ms'])
    .where('workspace_snapshots.project', '=', project)
    .executeTakeFirst();
  return row && { snapshot: row.snapshot, appliedMs: row.applied_ms };
}

export async function putSnapshot(unit: Unit, project: string, snapshot: string): Promise<void> {
  await unit
    .query<WorkspaceTables>()
    .insertInto('workspace_snapshots')
    .values({ project, snapshot, applied_ms: unit.nowMs })
    .onConflict((conflict) => conflict.column('project').doUpdateSet({ snapshot, applied_ms: unit.nowMs }))
    .execute();
}

/** What the last apply declared, by section and name. */
export async function listApplied(
  reader: Reader,
  project: string,
  section: string,
): Promise<ReadonlyMap<string, unknown>> {
  const rows = await reader
    .query<WorkspaceTables>()
    .selectFrom('workspace_applied')
    .select(['workspace_applied.name', 'workspace_applied.spec'])
    .where('workspace_applied.project', '=', project)
    .where('workspace_applied.section', '=', section)
    .execute();
  return new Map(rows.map(({ name, spec }) => [name, parseJson<unknown>(spec)]));
}

export async function putApplied(
  unit: Unit,
  project: string,
  section: string,
  name: string,
  spec: unknown,
): Promise<void> {
  const text = JSON.stringify(spec);
  await unit
    .query<WorkspaceTables>()
    .insertInto('workspace_applied')
    .values({ project, section, name, spec: text })
    .onConflict((conflict) => conflict.columns(['project', 'section', 'name']).doUpdateSet({ spec: text }))
    .execute();
}

export async function deleteApplied(unit: Unit, project: string, section: string, name: string): Promise<void> {
  await unit
    .query<WorkspaceTables>()
    .deleteFrom('workspace_applied')
    .where('workspace_applied.project', '=', project)
    .where('workspace_applied.section', '=', section)
    .where('workspace_applied.name', '=', name)
    .execute();
}
