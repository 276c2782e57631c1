import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { equalMassEdges } from '#statistics/histogram';
import { toJsonValue } from './json-value.ts';
import { type Session, type TableColumn, withSession } from './session.ts';
import { quoteName, quoteNumber, quoteNumbers, readParquet } from './sql-quote.ts';
import { familyOf, requireColumn, toMs } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';

export type ColumnProfile = WorkerTaskOutput<'profile'>['columns'][number];

export interface ProfileOptions {
  readonly bins?: number | undefined;
  readonly top?: number | undefined;
  readonly categories?: number | undefined;
}

/** Quantiles and edges of larger columns are those of about as many rows, spread evenly over the table. */
const sampleRows = 200_000;
/** Fewer distinct values than these are counted exactly, and numbers have top values then. */
const fewDistinct = 1000;
const percents = [1, 5, 25, 50, 75, 95, 99] as const;

export async function profile(
  context: TaskContext,
  input: WorkerTaskInput<'profile'>,
): Promise<WorkerTaskOutput<'profile'>> {
  return withSession(context, { read: input.paths }, (session) =>
    profileTable(session, readParquet(input.paths), input.columns, input),
  );
}

/** One query a column and kind of figure: Parquet is read by column, so nothing is read twice that matters. */
export async function profileTable(
  session: Session,
  relation: string,
  wanted: readonly string[] | undefined,
  options: ProfileOptions,
): Promise<WorkerTaskOutput<'profile'>> {
  const all = await session.columns(relation);
  const columns = wanted === undefined ? all : wanted.map((name) => requireColumn(all, name, 'the table'));
  const rows = Number((await session.row(`select count(*) as n from ${relation}`))['n']);
  const profiles: ColumnProfile[] = [];
  for (const column of columns) profiles.push(await profileColumn(session, relation, column, rows, options));
  return { rows, columns: profiles };
}

async function profileColumn(
  session: Session,
  relation: string,
  column: TableColumn,
  rows: number,
  options: ProfileOptions,
): Promise<ColumnProfile> {
  const value = quoteName(column.name);
  switch (familyOf(column.type)) {
    case 'integer':
    case 'number':
      return profileNumbers(session, relation, { column, rows, kind: 'numeric', value: `${value}::double` }, options);
    case 'time': {
      const ms = `${toMs(value, column, 'the table')}::double`;
      return profileNumbers(session, relation, { column, rows, kind: 'time', value: ms }, options);
    }
    case 'text':
    case 'boolean':
      return profileCategories(session, relation, column, rows, options);
    default: {
      const row = await session.row(
        `select count(${value}) as n, approx_count_distinct(${value}::varchar) as d from ${relation}`,
      );
      const count = Number(row['n']);
      return { ...column, kind: 'other', count, missing: rows - count, distinct: Number(row['d']) };
    }
  }
}

interface Numbers {
  readonly column: TableColumn;
  readonly rows: number;
  readonly kind: 'numeric' | 'time';
  /** SQL of the value as a double. */
  readonly value: string;
}

async function profileNumbers(
  session: Session,
  relation: string,
  { column, rows, kind, value }: Numbers,
  { bins = 64, top = 20 }: ProfileOptions,
): Promise<ColumnProfile> {
  // NaN is a missing value like null: DuckDB would call it the greatest number of all.
  const numbers = `(select case when isnan(v) then null else v end as x from (select ${value} as v from ${relation}))`;
  const row = await session.row(
    `select count(x) as n, approx_count_distinct(x) as d, min(x) as min, max(x) as max,
       min(x) filter (isfinite(x)) as low, max(x) filter (isfinite(x)) as high from ${numbers}`,
  );
  const count = Number(row['n']);
  const distinct = await countDistinct(session, numbers, Number(row['d']));
  const base = { ...column, kind, count, missing: rows - count, distinct };
  const [low, high] = [row['low'], row['high']];
  if (typeof low !== 'number' || typeof high !== 'number')
    return { ...base, cells: { edges: [], counts: [count], nulls: base.missing } };
  // Scaled, so that squares of the greatest numbers do not overflow.
  const scale = quoteNumber(
    Math.max(Math.abs(low), Math.abs(high), Number.MIN_VALUE) > 1e100 ? Math.max(-low, high) : 1,
  );
  const moments = await session.row(
    `select avg(x / ${scale}) * ${scale} as mean, stddev_samp(x / ${scale}) * ${scale} as std from ${numbers} where isfinite(x)`,
  );
  const sorted = await sampleSorted(session, numbers, count);
  const edges = equalMassEdges(sorted, bins);
  return {
    ...base,
    ...finite('min', low),
    ...finite('max', high),
    ...finite('mean', moments['mean']),
    ...finite('std', moments['std']),
    quantiles: Object.fromEntries(percents.map((percent) => [`p${percent}`, quantileOf(sorted, percent / 100)])),
    ...(base.distinct <= fewDistinct && { top: await topOf(session, numbers, top) }),
    cells: { edges, counts: await countCells(session, numbers, edges), nulls: base.missing },
  };
}

function finite<K extends string>(key: K, value: unknown): { readonly [P in K]?: number } {
  return (typeof value === 'number' && Number.isFinite(value) ? { [key]: value } : {}) as {
    readonly [P in K]?: number;
  };
}

/** Finite values in order: all of a small column, else every k-th row's. */
async function sampleSorted(session: Session, numbers: string, count: number): Promise<Float64Array> {
  const step = Math.ceil(count / sampleRows);
  const from =
    step <= 1 ? numbers : `(select x from (select x, row_number() over () as r from ${numbers}) where r % ${step} = 0)`;
  const values: number[] = [];
  for await (const chunk of session.chunks(`select x from ${from} where isfinite(x) order by x`))
    for (const value of chunk.getColumnValues(0)) values.push(value as number);
  return Float64Array.from(values);
}

/** Linear between neighbours, as numpy's and DuckDB's `quantile_cont`. */
function quantileOf(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}

/** DuckDB's bins end at their edge, inclusive, as the cells of `#statistics/histogram` do. */
async function countCells(session: Session, numbers: string, edges: readonly number[]): Promise<number[]> {
  const found = await session.rows(
    `select unnest(map_entries(histogram(x, ${quoteNumbers(edges)})), recursive := true) from ${numbers}`,
  );
  const counts = Array.from({ length: edges.length + 1 }, () => 0);
  const placeOf = new Map(edges.map((edge, place) => [edge, place]));
  for (const row of found) counts[placeOf.get(Number(row['key'])) ?? edges.length] = Number(row['value']);
  return counts;
}

async function profileCategories(
  session: Session,
  relation: string,
  column: TableColumn,
  rows: number,
  { top = 20, categories: limit = 50 }: ProfileOptions,
): Promise<ColumnProfile> {
  const values = `(select ${quoteName(column.name)}::varchar as x from ${relation})`;
  const row = await session.row(`select count(x) as n, approx_count_distinct(x) as d from ${values}`);
  const count = Number(row['n']);
  const found = await topOf(session, values, Math.max(top, limit));
  const categories = found.slice(0, limit);
  const named = categories.reduce((sum, category) => sum + category.count, 0);
  return {
    ...column,
    kind: 'categorical',
    count,
    missing: rows - count,
    distinct: await countDistinct(session, values, Number(row['d'])),
    top: found.slice(0, top),
    categories: {
      categories: categories.map(({ value }) => String(value)),
      counts: categories.map((category) => category.count),
      other: count - named,
      nulls: rows - count,
    },
  };
}

/** The estimate is some percent off, which few values would show: 13 months a year. */
async function countDistinct(session: Session, values: string, estimate: number): Promise<number> {
  if (estimate > fewDistinct) return estimate;
  return Number((await session.row(`select count(distinct x) as n from ${values}`))['n']);
}

async function topOf(session: Session, values: string, limit: number) {
  const found = await session.rows(
    `select x, count(*) as n from ${values} where x is not null group by x order by n desc, x limit ${limit}`,
  );
  return found.map((row) => ({ value: toJsonValue(row['x'] ?? null) as string | number, count: Number(row['n']) }));
}
