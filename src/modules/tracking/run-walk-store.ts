import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import { executeNamed } from '#platform/prepared-query';
import { runIdByBytes } from './run-listing-store.ts';
import type { RunPosition, SortTerm, Walk } from './run-search-plan.ts';
import { listedRunSchema, runSchema } from './run-search-schema.ts';
import {
  afterPosition,
  both,
  compareFalling,
  type FoundRow,
  isWaitingOrWide,
  listedBy,
  orderOf,
  type RunSearch,
  selectSorted,
} from './run-search-store.ts';
import type { Comparison } from './search-grammar.ts';
import { asKey, compileFilter, groupOf } from './search-store.ts';
import type { Lifecycle, TrackingTables } from './tracking-tables.ts';

/*
 * Runs in the order of an index, which ends as soon as a page is full. An index has the order of one experiment, so each
 * experiment is walked for itself and the parts are merged: on SQLite a statement each, no further than the page that is
 * found so far reaches, on PostgreSQL by a lateral join in one. What is in no list is sorted and merged within the same
 * statement: a run that is listed meanwhile is seen once.
 */

/** Stands for the experiment that is walked. */
const experimentSlot = { slot: 'experiment' };
/** And for what is last of a page that is full already: what comes after it need not be looked at. */
const lastSlot = { slot: 'last' };

/** Experiments that are walked at once on SQLite, at most. */
const mostAtOnce = 8;

interface Part {
  readonly experiment: RawBuilder<unknown>;
  readonly lifecycle: RawBuilder<unknown>;
  /** A start or a value of the metric, as the walk sorts them; none where the parts are walked at once. */
  readonly last?: RawBuilder<unknown>;
}

export async function walkRuns(reader: Reader, search: RunSearch, walk: Walk): Promise<readonly FoundRow[]> {
  if (walk.along === 'start')
    return walkParts(reader, search, (part) => alongStart(reader, search, part, walk.descending));
  // Runs without the metric come last: they are looked for only when those with it do not fill the page, all over again,
  // so that a run that gets or loses it meanwhile is seen once.
  if (search.after?.[0]?.zone !== 2) {
    const rows = await walkParts(reader, search, (part) => alongMetric(reader, search, part, walk, false));
    const filled = rows.length === search.limit && rows.at(-1)?.['z0'] !== 2;
    if (filled || ownComparisons(search, walk).length > 0) return rows;
  }
  return walkParts(reader, search, (part) => alongMetric(reader, search, part, walk, true));
}

/** Each experiment by the same statement, and what is found in the order of all. */
async function walkParts(
  reader: Reader,
  search: RunSearch,
  body: (part: Part) => RawBuilder<FoundRow>,
): Promise<readonly FoundRow[]> {
  const lifecycles: readonly Lifecycle[] = search.lifecycle === undefined ? ['active', 'deleted'] : [search.lifecycle];
  if (reader.dialect === 'postgres') {
    const part = { experiment: sql.ref('part.experiment'), lifecycle: sql.ref('part.lifecycle') };
    const pairs = search.keys.flatMap((key) => lifecycles.map((lifecycle) => ({ key, lifecycle })));
    const [keys, states] = [pairs.map(({ key }) => key), pairs.map(({ lifecycle }) => lifecycle)];
    const walked = sql<FoundRow>`
      select found.* from unnest(${keys}::bigint[], ${states}::text[]) as part(experiment, lifecycle)
      cross join lateral (${body(part)}) as found
      order by ${orderOf(reader, search.terms)} limit ${search.limit}`;
    return (await executeNamed(reader, walked)).rows;
  }
  const query = reader.query<TrackingTables>();
  const [experiment, last] = [experimentSlot, lastSlot].map((slot) => sql`${slot}`) as [Slot, Slot];
  // both in one statement: a run that is deleted or restored meanwhile is seen once
  const bodies = lifecycles.map((lifecycle) => body({ experiment, lifecycle: sql`${lifecycle}`, last }));
  const template = (bodies.length === 1 && bodies[0] ? bodies[0] : merged(bodies, reader, search)).compile(query);
  const farthest = search.terms[0]?.descending === true ? -Infinity : Infinity;
  const walkOne = async (key: number, farthestYet: number) => {
    const values = new Map<unknown, unknown>([
      [experimentSlot, key],
      [lastSlot, farthestYet],
    ]);
    const parameters = template.parameters.map((value) => (values.has(value) ? values.get(value) : value));
    return (await query.executeQuery<FoundRow>({ ...template, parameters })).rows;
  };
  let found: readonly FoundRow[] = [];
  // the first say how far the others need to look, and each time costs a way to the reader
  for (let at = 0, size = 1; at < search.keys.length; at += size, size = Math.min(mostAtOnce, 2 * size)) {
    const farthestYet = lastOf(found, search) ?? farthest;
    const walked = await Promise.all(search.keys.slice(at, at + size).map((key) => walkOne(key, farthestYet)));
    found = [...found, ...walked.flat()].toSorted((a, b) => compareRows(search.terms, a, b)).slice(0, search.limit);
  }
  return found;
}

type Slot = RawBuilder<unknown>;

/** What a page that is full is sorted by at its end, when it is a number. */
function lastOf(found: readonly FoundRow[], { limit }: RunSearch): number | undefined {
  const row = found.length === limit ? found.at(-1) : undefined;
  return row?.['z0'] === 0 && typeof row['v0'] === 'number' ? row['v0'] : undefined;
}

/** As the statements order them; only for what is walked: numbers, and ids, which are ASCII. */
function compareRows(terms: readonly SortTerm[], a: FoundRow, b: FoundRow): number {
  for (const [index, term] of terms.entries()) {
    for (const [name, sign] of [
      [`z${index}`, 1],
      [`v${index}`, term.descending ? -1 : 1],
    ] as const) {
      const [one, other] = [a[name] ?? null, b[name] ?? null];
      if (one === other || one === null || other === null) continue;
      return one < other ? -sign : sign;
    }
  }
  return 0;
}

function alongStart(reader: Reader, search: RunSearch, part: Part, descending: boolean): RawBuilder<FoundRow> {
  const [start, id] = search.after ?? [];
  const startMs = sql`tracking_runs.start_ms`;
  const conditions = [
    sql`tracking_runs.experiment_key = ${part.experiment} and tracking_runs.lifecycle = ${part.lifecycle}`,
    ...(start === undefined || id === undefined
      ? []
      : descending
        ? [sql`${startMs} <= ${start.value} and (${startMs} < ${start.value} or ${runIdByBytes(reader)} > ${id.value})`]
        : [
            sql`${startMs} >= ${start.value} and (${startMs} > ${start.value} or ${runIdByBytes(reader)} > ${id.value})`,
          ]),
    ...(part.last === undefined ? [] : [sql`${startMs} ${sql.raw(descending ? '>=' : '<=')} ${part.last}`]),
    compileFilter(reader, runSchema, search.comparisons),
  ];
  return sql<FoundRow>`select tracking_runs.run_id, 0 as z0, tracking_runs.start_ms as v0, 0 as z1, tracking_runs.run_id as v1
    from tracking_runs where ${both(conditions)}
    order by ${startMs} ${sql.raw(descending ? 'desc' : 'asc')}, ${runIdByBytes(reader)} limit ${search.limit}`;
}

type MetricWalk = Extract<Walk, { along: 'metric' }>;

/** Comparisons with the metric that is walked along. */
const ownComparisons = ({ comparisons }: RunSearch, { key }: MetricWalk): readonly Comparison[] =>
  comparisons.filter((comparison) => groupOf(runSchema, comparison) === 'metric' && comparison.key === key);

function alongMetric(
  reader: Reader,
  search: RunSearch,
  part: Part,
  walk: MetricWalk,
  withMissing: boolean,
): RawBuilder<FoundRow> {
  const own = ownComparisons(search, walk);
  const others = search.comparisons.filter((comparison) => !own.includes(comparison));
  const zone = search.after?.[0]?.zone ?? 0;
  const parts = [
    ...(zone === 0 ? [ofValues(reader, search, part, walk, own, others)] : []),
    ...(zone <= 1 && own.every(({ operator }) => operator === '!=') ? [ofNan(reader, search, part, walk, others)] : []),
    ...(withMissing && own.length === 0 ? [ofMissing(reader, search, part, walk, others)] : []),
    selectSorted(reader, search, sql`tracking_runs.experiment_key = ${part.experiment} and ${isWaitingOrWide}`),
  ];
  return merged(parts, reader, search);
}

/** What several statements find, in the order of the search. */
const merged = (parts: readonly RawBuilder<unknown>[], reader: Reader, search: RunSearch): RawBuilder<FoundRow> =>
  sql<FoundRow>`select * from (${sql.join(
    parts.map((one, index) => sql`select * from (${one}) as ${sql.ref(`p${index}`)}`),
    sql` union all `,
  )}) as found order by ${orderOf(reader, search.terms)} limit ${search.limit}`;

const listedColumns = (zone: number) => sql`walk.run_id, ${sql.lit(zone)} as z0, -walk.falling as v0, 0 as z1,
  -walk.before_ms as v1, 0 as z2, walk.run_id as v2`;

/** Made a list once, before anything is walked. */
const isAmong = (reader: Reader, ids: RawBuilder<unknown>) =>
  reader.dialect === 'sqlite' ? sql`walk.run_id in (${ids})` : sql`walk.run_id = any(array(${ids}))`;

/** Listed runs of a metric; `tracking_runs` is joined where a comparison looks at its columns. */
function fromListed(
  reader: Reader,
  search: RunSearch,
  part: Part,
  walk: MetricWalk,
  zone: 0 | 1,
  others: readonly Comparison[],
  conditions: readonly RawBuilder<unknown>[],
): RawBuilder<unknown> {
  const among = search.among?.kind === 'metric' && search.among.key === walk.key ? undefined : search.among;
  const withRow = others.some((comparison) => groupOf(runSchema, comparison) === 'attribute');
  return sql`select ${listedColumns(zone)} from tracking_listed_metrics as walk
    ${withRow ? sql`cross join tracking_runs` : sql``}
    where walk.experiment_key = ${part.experiment} and walk.metric_key = ${walk.key} and walk.is_nan = ${sql.lit(zone)}
      and ${both([
        ...(withRow ? [sql`tracking_runs.run_id = ${asKey(reader, listedRunSchema, 'walk.run_id')}`] : []),
        ...conditions,
        ...(among === undefined ? [] : [isAmong(reader, listedBy(reader, search.keys, among))]),
        compileFilter(reader, listedRunSchema, others),
      ])}`;
}

function ofValues(
  reader: Reader,
  search: RunSearch,
  part: Part,
  walk: MetricWalk,
  own: readonly Comparison[],
  others: readonly Comparison[],
): RawBuilder<unknown> {
  const [value, start, id] = search.after ?? [];
  const [falling, before] = [-Number(value?.value), -Number(start?.value)];
  const ties = sql`(walk.before_ms, walk.run_id) > (${before}, ${id?.value})`;
  const later =
    value === undefined
      ? []
      : walk.descending
        ? [sql`walk.falling >= ${falling} and (walk.falling > ${falling} or ${ties})`]
        : [sql`walk.falling <= ${falling} and (walk.falling < ${falling} or ${ties})`];
  const conditions = [
    ...later,
    ...(part.last === undefined ? [] : [sql`walk.falling ${sql.raw(walk.descending ? '<=' : '>=')} -${part.last}`]),
    ...own.map((comparison) => compareFalling(reader, 'walk.falling', comparison)),
  ];
  return sql`${fromListed(reader, search, part, walk, 0, others, conditions)}
    order by walk.falling ${sql.raw(walk.descending ? 'asc' : 'desc')}, walk.before_ms, walk.run_id limit ${search.limit}`;
}

function ofNan(
  reader: Reader,
  search: RunSearch,
  part: Part,
  walk: MetricWalk,
  others: readonly Comparison[],
): RawBuilder<unknown> {
  const [value, start, id] = search.after ?? [];
  const later =
    value?.zone === 1 ? [sql`(walk.before_ms, walk.run_id) > (${-Number(start?.value)}, ${id?.value})`] : [];
  return sql`${fromListed(reader, search, part, walk, 1, others, later)}
    order by walk.before_ms, walk.run_id limit ${search.limit}`;
}

function ofMissing(
  reader: Reader,
  search: RunSearch,
  part: Part,
  walk: MetricWalk,
  others: readonly Comparison[],
): RawBuilder<unknown> {
  const after: RunPosition | undefined = search.after?.[0]?.zone === 2 ? search.after : undefined;
  return sql`select * from (
      select tracking_runs.run_id, 2 as z0, cast(null as double precision) as v0, 0 as z1, tracking_runs.start_ms as v1,
        0 as z2, tracking_runs.run_id as v2
      from tracking_runs
      where tracking_runs.experiment_key = ${part.experiment} and tracking_runs.lifecycle = 'active'
        and tracking_runs.listing = 'listed'
        and not exists (select 1 from tracking_latest_metrics
          where tracking_latest_metrics.run_id = tracking_runs.run_id
            and tracking_latest_metrics.metric_key = ${walk.key})
        and ${compileFilter(reader, runSchema, others)}
    ) as found where ${after === undefined ? sql`1 = 1` : afterPosition(reader, search.terms, after)}
    order by ${orderOf(reader, search.terms)} limit ${search.limit}`;
}
