import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { LineageTables } from './lineage-tables.ts';

/** A fact of the graph: `from` is the source or cause, `to` what came of it. */
export interface NewEdge {
  readonly from: string;
  readonly to: string;
  /** `trained-on`, `produced`, `consumed`, `scored`, `deployed`, `served`, `caused` … */
  readonly kind: string;
}

export interface Edge extends NewEdge {
  /** Undefined for edges that a resolver made up from its own log. */
  readonly actor?: string;
  readonly atMs?: number;
}

/** Rows in one statement: bounds its parameters (SQLite takes 32,766). */
const rowsPerStatement = 500;

/** What is there already stays as it was first written. */
export async function insertEdges(unit: Unit, project: string, edges: readonly NewEdge[]): Promise<void> {
  const rows = edges.map(({ from, to, kind }) => ({
    project,
    from_ref: from,
    to_ref: to,
    kind,
    actor: unit.context.actor,
    created_ms: unit.nowMs,
  }));
  const insert = (some: typeof rows) =>
    unit
      .query<LineageTables>()
      .insertInto('lineage_edges')
      .values(some)
      .onConflict((conflict) => conflict.columns(['project', 'from_ref', 'to_ref', 'kind']).doNothing())
      .execute();
  const inserts: Promise<unknown>[] = [];
  for (let at = 0; at < rows.length; at += rowsPerStatement)
    inserts.push(insert(rows.slice(at, at + rowsPerStatement)));
  await Promise.all(inserts);
}

/** The edges that enter (`up`) or leave (`down`) any of these nodes, in a stable order. */
export async function listEdgesOf(
  reader: Reader,
  project: string,
  refs: readonly string[],
  direction: 'up' | 'down',
  limit: number,
): Promise<readonly Edge[]> {
  const near = direction === 'up' ? 'lineage_edges.to_ref' : 'lineage_edges.from_ref';
  const rows = await reader
    .query<LineageTables>()
    .selectFrom('lineage_edges')
    .select([
      'lineage_edges.from_ref',
      'lineage_edges.to_ref',
      'lineage_edges.kind',
      'lineage_edges.actor',
      'lineage_edges.created_ms',
    ])
    .where('lineage_edges.project', '=', project)
    .where(inList(reader, near, refs))
    .orderBy('lineage_edges.created_ms')
    .orderBy('lineage_edges.from_ref')
    .orderBy('lineage_edges.to_ref')
    .orderBy('lineage_edges.kind')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    from: row.from_ref,
    to: row.to_ref,
    kind: row.kind,
    actor: row.actor,
    atMs: row.created_ms,
  }));
}
