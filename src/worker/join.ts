import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { toJsonValue } from './json-value.ts';
import { type MatchedView, type MatchRequest, planMatch } from './match-plan.ts';
import { matchView } from './match-view.ts';
import { defineInputs } from './query.ts';
import { type Session, withSession } from './session.ts';
import { createRowsTable } from './spine-rows.ts';
import { quoteName, readParquet } from './sql-quote.ts';
import { requireColumn } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type Join = WorkerTaskInput<'join'>;
type View = Join['views'][number];

/** The spine as a table of this session: `rowid` is the place of a row in the input. */
export const spineTable = '_tidemill_spine';

/**
 * The point-in-time join; its meaning is written at the schema in `#contracts/worker-features`. Each view is matched by
 * itself (`match-view.ts`), then all are put beside the spine.
 */
export async function join(context: TaskContext, input: Join): Promise<WorkerTaskOutput<'join'>> {
  const { spine, views, outputPath } = input;
  const access = {
    read: [...('paths' in spine ? spine.paths : []), ...views.flatMap(pathsOf)],
    ...(outputPath !== undefined && { write: [outputPath] }),
  };
  // A quarter of the memory is for arrays beside the database (`match-by-scan.ts`).
  const memoryMb = context.memoryMb();
  const databaseMb = Math.ceil(memoryMb * 0.75);
  const arrayBytes = (memoryMb - databaseMb) * 1024 * 1024;
  return withSession({ ...context, memoryMb: () => databaseMb }, access, async (session) => {
    if ('rows' in spine) await createRowsTable(session, spineTable, spine.rows, spine.at);
    else await session.run(`create temp table ${spineTable} as select * from ${readParquet(spine.paths)}`);
    const columns = await session.columns(spineTable);
    const at = requireColumn(columns, spine.at, 'the rows');
    const matches: MatchedView[] = [];
    for (const [index, view] of views.entries()) {
      const request = { view, index, spine: columns, at, loose: 'rows' in spine, arrayBytes };
      matches.push(await matchView(session, { ...request, relation: await openView(session, request) }));
    }
    const features = matches.flatMap((match) => match.features);
    assertDistinct([...columns.map(({ name }) => name), ...features.map(({ output }) => output)]);
    const answer = {
      columns: features.map(({ output }) => output),
      matched: Object.fromEntries(matches.map(({ name, matched }) => [name, matched])),
    };
    if (outputPath !== undefined)
      return { ...answer, file: await session.writeParquet(outputPath, selectOf(matches, `${spineTable}.*`)) };
    return { ...answer, values: await readValues(session, matches) };
  });
}

function pathsOf(view: View): readonly string[] {
  return 'paths' in view ? view.paths : view.inputs.flatMap(({ paths }) => paths);
}

/**
 * SQL runs once, into a table: it is read twice, and may be dear or differ from run to run. Rows of times that no row of the
 * spine may use are left out, so that looking up a day does not compute the view's whole history.
 */
async function openView(session: Session, request: Omit<MatchRequest, 'relation'>): Promise<string> {
  const { view, index } = request;
  if ('paths' in view) return readParquet(view.paths);
  const [table, definition] = [`_tidemill_view_${index}`, `_tidemill_sql_${index}`];
  const what = `the SQL of feature view "${view.name}"`;
  await defineInputs(session, view.inputs);
  await session.defineView(definition, view.sql, what);
  const { window } = await planMatch(session, { ...request, relation: definition });
  await session.run(`create temp table ${table} as from ${definition}${window}`, { kind: 'sql', what });
  for (const { name } of [{ name: definition }, ...view.inputs]) await session.run(`drop view ${quoteName(name)}`);
  return table;
}

function selectOf(matches: readonly MatchedView[], ...before: readonly string[]): string {
  const columns = matches.flatMap(({ features }) =>
    features.map(({ expression, output }) => `${expression} as ${quoteName(output)}`),
  );
  return `select ${[...before, ...columns].join(', ')} from ${spineTable} ${matches.map(({ joins }) => joins).join(' ')} order by ${spineTable}.rowid`;
}

async function readValues(session: Session, matches: readonly MatchedView[]) {
  const values: (readonly ReturnType<typeof toJsonValue>[])[] = [];
  for await (const chunk of session.chunks(selectOf(matches)))
    for (const row of chunk.getRows()) values.push(row.map(toJsonValue));
  return values;
}

/** Names are compared as DuckDB does: without case. */
function assertDistinct(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    if (seen.has(folded)) throw workerErrors.JOIN_COLUMN_TWICE(name);
    seen.add(folded);
  }
}
