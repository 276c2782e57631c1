import type { GraphSpec } from '#contracts/graph-document';
import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { GraphRow, GraphState, GraphsTables } from './graphs-tables.ts';

export interface Graph {
  readonly project: string;
  readonly name: string;
  readonly spec: GraphSpec;
  readonly generation: number;
  readonly state: GraphState;
  readonly reason: string | undefined;
  readonly version: number | undefined;
  readonly members: readonly string[];
}

const columns = [
  'graphs.project',
  'graphs.name',
  'graphs.spec',
  'graphs.generation',
  'graphs.state',
  'graphs.reason',
  'graphs.version',
  'graphs.members',
  'graphs.created_ms',
  'graphs.updated_ms',
] as const;

function rowToGraph(row: GraphRow): Graph {
  return {
    project: row.project,
    name: row.name,
    spec: parseJson<GraphSpec>(row.spec),
    generation: row.generation,
    state: row.state,
    reason: row.reason ?? undefined,
    version: row.version ?? undefined,
    members: parseJson<readonly string[]>(row.members),
  };
}

const select = (reader: Reader) => reader.query<GraphsTables>().selectFrom('graphs').select(columns);

export async function findGraph(reader: Reader, project: string, name: string): Promise<Graph | undefined> {
  const row = await select(reader)
    .where('graphs.project', '=', project)
    .where('graphs.name', '=', name)
    .executeTakeFirst();
  return row && rowToGraph(row);
}

export async function listGraphsOf(reader: Reader, project: string): Promise<readonly Graph[]> {
  const rows = await select(reader).where('graphs.project', '=', project).orderBy('graphs.name').execute();
  return rows.map(rowToGraph);
}

/** Those that are to be looked at, whose turn it was first. */
export async function listPending(reader: Reader, limit: number): Promise<readonly Graph[]> {
  const rows = await select(reader)
    .where('graphs.state', '=', 'pending')
    .orderBy('graphs.updated_ms')
    .orderBy('graphs.project')
    .orderBy('graphs.name')
    .limit(limit)
    .execute();
  return rows.map(rowToGraph);
}

/** Declares it, to be looked at. */
export async function putGraph(
  unit: Unit,
  { project, name, spec, generation }: Pick<Graph, 'project' | 'name' | 'spec' | 'generation'>,
): Promise<void> {
  const declared = { spec: JSON.stringify(spec), generation, state: 'pending', updated_ms: unit.nowMs } as const;
  await unit
    .query<GraphsTables>()
    .insertInto('graphs')
    .values({ project, name, ...declared, reason: null, version: null, members: '[]', created_ms: unit.nowMs })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(declared))
    .execute();
}

export async function updateGraph(
  unit: Unit,
  { project, name }: Pick<Graph, 'project' | 'name'>,
  change: {
    readonly state: GraphState;
    readonly reason?: string | undefined;
    readonly made?: { readonly version: number; readonly members: readonly string[] };
  },
): Promise<void> {
  const { state, reason, made } = change;
  await unit
    .query<GraphsTables>()
    .updateTable('graphs')
    .set({
      state,
      reason: reason ?? null,
      updated_ms: unit.nowMs,
      ...(made && { version: made.version, members: JSON.stringify(made.members) }),
    })
    .where('graphs.project', '=', project)
    .where('graphs.name', '=', name)
    .execute();
}

export async function deleteGraph(unit: Unit, project: string, name: string): Promise<void> {
  await unit
    .query<GraphsTables>()
    .deleteFrom('graphs')
    .where('graphs.project', '=', project)
    .where('graphs.name', '=', name)
    .execute();
}
