import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import { executeNamed } from '#platform/prepared-query';
import { inList, toNumberParameter } from '#platform/sql';
import { special } from './metric-value.ts';
import { headLength, isUnlisted } from './run-listing-store.ts';
import type { ListedComparison, RunPosition, SortTerm } from './run-search-plan.ts';
import { runSchema } from './run-search-schema.ts';
import type { Comparison } from './search-grammar.ts';
import { asKey, compareText, compileFilter, signOf } from './search-store.ts';
import type { Lifecycle, TrackingTables } from './tracking-tables.ts';

type Dialect = Pick<Reader, 'dialect'>;
const none = sql``;
const always = sql`1 = 1`;
export const both = (conditions: readonly RawBuilder<unknown>[]) =>
  conditions.length === 0 ? always : sql.join(conditions, sql` and `);

/** A run that was found, with what it is ordered by: zones `z0`, `z1` … and values `v0`, `v1` …, one for each term. */
export type FoundRow = Readonly<Record<string, string | number | null>>;

export const positionOf = (terms: readonly SortTerm[], row: FoundRow): RunPosition =>
  terms.map((_, index) => ({ zone: Number(row[`z${index}`]), value: row[`v${index}`] ?? null }));

/** What runs are searched, without where they are looked for. */
export interface RunSearch {
  readonly keys: readonly number[];
  /** Undefined: both. */
  readonly lifecycle: Lifecycle | undefined;
  readonly comparisons: readonly Comparison[];
  readonly terms: readonly SortTerm[];
  readonly after: RunPosition | undefined;
  readonly limit: number;
  /** A comparison that leaves few listed runs: a walk passes the others by their ids, without looking at them. */
  readonly among?: ListedComparison | undefined;
}

const lifecycleIs = (lifecycle: Lifecycle | undefined) =>
  lifecycle === undefined ? always : sql`tracking_runs.lifecycle = ${sql.lit(lifecycle)}`;

const column = (name: string) => sql.ref(`found.${name}`);

/** Texts in the order of their bytes, on both databases. */
const byBytes = ({ dialect }: Dialect, term: SortTerm, expression: RawBuilder<unknown>) =>
  dialect === 'postgres' && (term.by === 'param' || term.by === 'tag' || (term.by === 'column' && term.type === 'text'))
    ? sql`${expression} collate "C"`
    : expression;

export const orderOf = (reader: Dialect, terms: readonly SortTerm[]) =>
  sql.join(
    terms.flatMap((term, index) => [
      column(`z${index}`),
      sql`${byBytes(reader, term, column(`v${index}`))} ${sql.raw(term.descending ? 'desc' : 'asc')}`,
    ]),
  );

/** What comes after a place: a greater zone, or the same and a value that is further on, or the same and … */
export function afterPosition(reader: Dialect, terms: readonly SortTerm[], position: RunPosition): RawBuilder<unknown> {
  return terms.reduceRight<RawBuilder<unknown>>((rest, term, index) => {
    const { zone, value } = position[index] ?? { zone: 2, value: null };
    const [z, v] = [column(`z${index}`), byBytes(reader, term, column(`v${index}`))];
    const type = term.by === 'metric' ? sql`double precision` : typeof value === 'number' ? sql`bigint` : sql`text`;
    const bound = reader.dialect === 'postgres' ? sql`${value}::${type}` : sql`${value}`;
    const further =
      value === null
        ? sql`(${rest})`
        : sql`(${v} ${sql.raw(term.descending ? '<' : '>')} ${bound} or (${v} = ${bound} and (${rest})))`;
    return sql`(${z} > ${sql.lit(zone)} or (${z} = ${sql.lit(zone)} and ${further}))`;
  }, sql`1 = 0`);
}

const textTables = {
  param: { table: 'tracking_params', key: 'param_key', value: 'param_value' },
  tag: { table: 'tracking_run_tags', key: 'tag_key', value: 'tag_value' },
} as const;

/** The value of a term for the run that is looked at, and the join that brings it. */
function readTerm(term: SortTerm, index: number) {
  if (term.by === 'column') {
    const value = sql.ref(term.column);
    const zone = term.column === 'tracking_runs.end_ms' ? sql`case when ${value} is null then 2 else 0 end` : sql`0`;
    return { zone, value, join: none };
  }
  const alias = `t${index}`;
  const of = (name: string) => sql.ref(`${alias}.${name}`);
  const { table, key, value } =
    term.by === 'metric'
      ? { table: 'tracking_latest_metrics', key: 'metric_key', value: 'value' }
      : textTables[term.by];
  return {
    zone:
      term.by === 'metric'
        ? sql`case when ${of('run_id')} is null then 2 when ${of('special')} = ${sql.lit(special.nan)} then 1 else 0 end`
        : sql`case when ${of('run_id')} is null then 2 else 0 end`,
    value: of(value),
    join: sql`left join ${sql.table(table)} as ${sql.ref(alias)}
      on ${of('run_id')} = tracking_runs.run_id and ${of(key)} = ${term.key}`,
  };
}

const tablesOf = (candidates: RawBuilder<unknown> | undefined) =>
  candidates === undefined ? sql`tracking_runs` : sql`(${candidates}) as candidates cross join tracking_runs`;

const matching = (
  reader: Reader,
  search: RunSearch,
  where: RawBuilder<unknown>,
  candidates: RawBuilder<unknown> | undefined,
) => [
  ...(candidates === undefined
    ? []
    : [sql`tracking_runs.run_id = ${asKey(reader, { keyByBytes: true }, 'candidates.run_id')}`]),
  where,
  lifecycleIs(search.lifecycle),
  compileFilter(reader, runSchema, search.comparisons),
];

/** How many runs match; `candidates` as of `selectSorted`. */
export async function countSorted(
  reader: Reader,
  search: RunSearch,
  candidates: RawBuilder<unknown> | undefined,
): Promise<number> {
  const conditions = matching(reader, search, inExperiments(reader, search.keys), candidates);
  const { rows } = await sql<{ size: number }>`select count(*) as size from ${tablesOf(candidates)}
    where ${both(conditions)}`.execute(reader.query<TrackingTables>());
  return rows[0]?.size ?? 0;
}

/**
 * All runs that match, sorted, as a statement.
 * @param from a further table of ids, `candidates`, among which they are
 */
export function selectSorted(
  reader: Reader,
  search: RunSearch,
  where: RawBuilder<unknown>,
  from?: RawBuilder<unknown>,
): RawBuilder<FoundRow> {
  const { terms, after, limit } = search;
  const read = terms.map(readTerm);
  const columns = read.map(
    ({ zone, value }, index) => sql`${zone} as ${sql.ref(`z${index}`)}, ${value} as ${sql.ref(`v${index}`)}`,
  );
  const joins = sql.join(
    read.map(({ join }) => join),
    sql` `,
  );
  return sql<FoundRow>`select * from (
      select tracking_runs.run_id, ${sql.join(columns)} from ${tablesOf(from)} ${joins}
      where ${both(matching(reader, search, where, from))}
    ) as found where ${after === undefined ? always : afterPosition(reader, terms, after)}
    order by ${orderOf(reader, terms)} limit ${limit}`;
}

export const inExperiments = (reader: Reader, keys: readonly number[]) =>
  inList(reader, 'tracking_runs.experiment_key', keys) as RawBuilder<unknown>;

/** The listed runs that a comparison may match, and for certain all that it does. */
export function listedBy(reader: Reader, keys: readonly number[], comparison: ListedComparison): RawBuilder<unknown> {
  const { kind, key, operator } = comparison;
  if (kind === 'metric')
    return sql`select tracking_listed_metrics.run_id from tracking_listed_metrics
      where ${inList(reader, 'tracking_listed_metrics.experiment_key', keys)}
        and tracking_listed_metrics.metric_key = ${key} and tracking_listed_metrics.is_nan = 0
        and ${compareFalling(reader, 'tracking_listed_metrics.falling', comparison)}`;
  const texts = sql`select tracking_listed_texts.run_id from tracking_listed_texts
    where ${inList(reader, 'tracking_listed_texts.experiment_key', keys)}
      and tracking_listed_texts.kind = ${sql.lit(kind)} and tracking_listed_texts.text_key = ${key}`;
  if (operator === 'IS NOT NULL') return texts;
  if (operator === '=') return sql`${texts} and tracking_listed_texts.head = ${toHead(String(comparison.value))}`;
  const matches = compareText(reader, 'tracking_listed_texts.head', comparison);
  return sql`${texts} and (tracking_listed_texts.is_cut = 1 or ${matches})`;
}

const toHead = (value: string) =>
  Array.from(value.slice(0, 2 * headLength))
    .slice(0, headLength)
    .join('');

const turned = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '=': '=', '!=': '!=' } as const;

/** A comparison with a number, of a column that has the numbers with their signs changed. */
export function compareFalling(reader: Dialect, name: string, { operator, value }: Comparison): RawBuilder<unknown> {
  const sign = signOf(turned[operator as keyof typeof turned]);
  return sql`${sql.ref(name)} ${sign} ${toNumberParameter(reader, -Number(value))}`;
}

/** How many listed runs each of these comparisons may match, counted no further than `most`. */
export async function countListed(
  reader: Reader,
  keys: readonly number[],
  comparisons: readonly ListedComparison[],
  most: number,
): Promise<readonly number[]> {
  const counts = comparisons.map(
    (comparison, index) => sql`(select count(*) from (
      ${listedBy(reader, keys, comparison)} limit ${most}) as found) as ${sql.ref(`size${index}`)}`,
  );
  const { rows } = await executeNamed<Record<string, number>>(reader, sql`select ${sql.join(counts)}`);
  return comparisons.map((_, index) => rows[0]?.[`size${index}`] ?? 0);
}

/** How often a number of runs is used before it is counted again, and what is counted at most. */
const usesOfEstimate = 50;
const mostCounted = 500_000;
const mostEstimates = 1000;
const estimates = new WeakMap<Reader, Map<string, { readonly runs: number; uses: number }>>();

/**
 * About how many runs there are in some experiments: what takes as long as a search is done once for many, and no search
 * waits for it again. It decides only which way is taken to the same runs.
 */
export async function estimateRuns(reader: Reader, keys: readonly number[]): Promise<number> {
  const known = estimates.get(reader) ?? new Map<string, { readonly runs: number; uses: number }>();
  estimates.set(reader, known);
  const name = keys.join();
  const count = async () => {
    const { rows } = await sql<{ size: number }>`select count(*) as size from (
      select 1 from tracking_runs where ${inExperiments(reader, keys)} limit ${mostCounted}) as found`.execute(
      reader.query<TrackingTables>(),
    );
    const runs = rows[0]?.size ?? 0;
    if (known.size >= mostEstimates) known.clear();
    known.set(name, { runs, uses: 0 });
    return runs;
  };
  const estimate = known.get(name);
  if (estimate === undefined) return await count();
  estimate.uses += 1;
  if (estimate.uses === usesOfEstimate) void count().catch(() => known.delete(name));
  return estimate.runs;
}

/** Runs that are in no list: those under way, and the few that are too wide for one. */
export const isWaitingOrWide = sql`${isUnlisted} and tracking_runs.listing in ('waiting', 'wide')`;
export const unlistedIn = (reader: Reader, keys: readonly number[]) =>
  sql`select tracking_runs.run_id from tracking_runs
    where ${isWaitingOrWide} and tracking_runs.lifecycle = 'active' and ${inExperiments(reader, keys)}`;
