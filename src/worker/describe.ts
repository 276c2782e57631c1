import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { type Session, withSession } from './session.ts';
import { quoteName, quoteTexts, readParquet } from './sql-quote.ts';
import { requireColumn, toMs } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';

type Description = WorkerTaskOutput<'describe'>;

/** Rows, columns and range of time of Parquet files. */
export async function describe(context: TaskContext, input: WorkerTaskInput<'describe'>): Promise<Description> {
  return withSession(context, { read: input.paths }, (session) =>
    describeParts(session, input.paths, input.time, input.paths.join(', ')),
  );
}

/** A column is nullable when a value of it is null, or when nobody counted. */
export async function describeParts(
  session: Session,
  paths: readonly string[],
  time: string | undefined,
  where: string,
): Promise<Description> {
  const failure = {
    kind: 'source',
    path: paths[0] ?? '',
    name: where,
    mend: 'Write it again: it is no whole Parquet file',
  } as const;
  const relation = readParquet(paths);
  const columns = await session.columns(relation, failure);
  const counted = await session.rows(
    `select path_in_schema as name, sum(stats_null_count) as nulls, bool_and(stats_null_count is not null) as known
     from parquet_metadata(${quoteTexts(paths)}) group by all`,
    failure,
  );
  const withoutNulls = new Set(
    counted.filter((row) => row['known'] === true && Number(row['nulls']) === 0).map((row) => String(row['name'])),
  );
  const range =
    time === undefined
      ? ''
      : `, ${['min', 'max'].map((end) => `${end}(${toMs(quoteName(time), requireColumn(columns, time, where), where)}) as ${end}`).join(', ')}`;
  const row = await session.row(`select count(*) as rows${range} from ${relation}`, failure);
  const [min, max] = [row['min'], row['max']];
  return {
    rows: Number(row['rows']),
    columns: columns.map(({ name, type }) => ({ name, type, nullable: !withoutNulls.has(name) })),
    ...(typeof min === 'bigint' && { timeMinMs: Number(min) }),
    ...(typeof max === 'bigint' && { timeMaxMs: Number(max) }),
  };
}
