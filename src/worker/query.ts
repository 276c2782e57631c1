import { join } from 'node:path';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { toJsonValue } from './json-value.ts';
import { type Session, type TableColumn, withSession } from './session.ts';
import { quoteName, quoteText, readParquet } from './sql-quote.ts';
import { requireColumn } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type Query = WorkerTaskInput<'query'>;
type Answer = WorkerTaskOutput<'query'>;

const what = 'the query';
const failure = { kind: 'sql', what } as const;
const result = '_tidemill_query';

/** One SELECT of the user's over named tables → a file, rows, or one file per value of a column. */
export async function query(context: TaskContext, input: Query): Promise<Answer> {
  const { sql, views, outputPath, rows, partitions } = input;
  if ([outputPath, rows, partitions].filter((wanted) => wanted !== undefined).length !== 1)
    throw workerErrors.TASK_INPUT_INVALID('query', 'give exactly one of outputPath, rows and partitions');
  const access = {
    read: views.flatMap(({ paths }) => paths),
    ...(outputPath !== undefined && { write: [outputPath] }),
    ...(partitions !== undefined && { folders: [partitions.folder] }),
  };
  return withSession(context, access, async (session) => {
    await defineInputs(session, views);
    await session.defineView(result, sql, what);
    const columns = await session.columns(result, failure);
    if (outputPath !== undefined)
      return { columns, file: await session.writeParquet(outputPath, `from ${result}`, { failure }) };
    if (rows !== undefined) return { columns, ...(await readRows(session, columns, rows)) };
    if (partitions === undefined) throw new Error('unreachable: one of the three is given');
    return { columns, partitions: await writePartitions(session, columns, partitions) };
  });
}

/** Makes the named tables that user SQL reads. */
export async function defineInputs(session: Session, inputs: Query['views']): Promise<void> {
  for (const { name, paths } of inputs)
    await session.run(`create view ${quoteName(name)} as select * from ${readParquet(paths)}`);
}

async function readRows(session: Session, columns: readonly TableColumn[], limit: number) {
  const found = await session.rows(`from ${result} limit ${limit + 1}`, failure);
  const rows = found
    .slice(0, limit)
    .map((row) => Object.fromEntries(columns.map(({ name }) => [name, toJsonValue(row[name] ?? null)])));
  return { rows, more: found.length > limit };
}

async function writePartitions(
  session: Session,
  columns: readonly TableColumn[],
  { by, folder, name, keep = false }: NonNullable<Query['partitions']>,
): Promise<NonNullable<Answer['partitions']>> {
  requireColumn(columns, by, what);
  const [table, column] = ['_tidemill_rows', quoteName(by)];
  // Read once: the query may be dear, and there is a file for each value.
  await session.run(`create temp table ${table} as from ${result}`, failure);
  const values = await session.rows(
    `select distinct ${column}::varchar as value from ${table} where ${column} is not null order by value`,
  );
  const files: NonNullable<Answer['partitions']>['files'][number][] = [];
  for (const row of values) {
    const value = String(row['value']);
    if (value === '' || /[/\\\0*?[\]]/.test(value) || value.startsWith('.'))
      throw workerErrors.PARTITIONS_INVALID(`the value "${value}" of column "${by}" cannot be part of a file name`);
    const select = `select * ${keep ? '' : `exclude (${column})`} from ${table} where ${column}::varchar = ${quoteText(value)} order by rowid`;
    files.push({ ...(await session.writeParquet(join(folder, name.replaceAll('{value}', value)), select)), value });
  }
  const without = await session.row(`select count(*) as n from ${table} where ${column} is null`);
  return { files, withoutValue: Number(without['n']) };
}
