import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import { executeNamed } from '#platform/prepared-query';
import { listRows } from '#platform/sql';
import { parseExperimentId } from './experiment-service.ts';
import { listActiveExperiments, listExperimentRows } from './experiment-store.ts';
import { toRunDocument } from './run-document.ts';
import {
  isPositionOf,
  type ListedComparison,
  listedComparisons,
  namedRuns,
  type RunPosition,
  toSortTerms,
  type Walk,
  walkFor,
} from './run-search-plan.ts';
import { runSchema } from './run-search-schema.ts';
import {
  countListed,
  countSorted,
  estimateRuns,
  type FoundRow,
  inExperiments,
  listedBy,
  positionOf,
  type RunSearch,
  selectSorted,
  unlistedIn,
} from './run-search-store.ts';
import { listRunRows, listRunRowsWithDocuments, type RunFields, rowToRunInfo, toRuns } from './run-store.ts';
import { walkRuns } from './run-walk-store.ts';
import { type Ordering, parseFilter, parseOrdering } from './search-grammar.ts';
import { compileFilter } from './search-store.ts';
import { trackingErrors } from './tracking-errors.ts';
import type { Lifecycle } from './tracking-tables.ts';
import type { Run, RunInfo } from './tracking-types.ts';

export interface RunQuery {
  readonly project: string;
  /** Undefined: all that are active. */
  readonly experimentIds: readonly string[] | undefined;
  /** The grammar is in search-grammar.ts. */
  readonly filter?: string | undefined;
  /** Undefined: both. */
  readonly lifecycle?: Lifecycle | undefined;
}

export interface RunPageQuery extends RunQuery {
  /** `metrics.auc DESC`, the first counts most; the newest first unless ordered otherwise. */
  readonly orderBy?: readonly (string | Ordering)[];
  readonly limit: number;
  /** Where a page ended, of the same order; however far that is, the page after it costs the same. */
  readonly after?: RunPosition | undefined;
}

export interface FoundRuns<Item> {
  readonly items: readonly Item[];
  /** More follow after this place. */
  readonly next?: RunPosition;
}

/** A run with what was logged to it as the JSON text of run-document.ts. */
export interface RunWithDocument {
  readonly info: RunInfo;
  readonly document: string;
}

/** Runs that are looked at one by one and sorted, at most; above, an index is walked whatever else there is. */
const few = 1500;

async function keysOf(reader: Reader, { project, experimentIds }: RunQuery): Promise<number[]> {
  const ids = experimentIds && [...new Set(experimentIds)].flatMap((id) => parseExperimentId(id) ?? []);
  const rows = await (ids === undefined
    ? listActiveExperiments(reader, project)
    : listExperimentRows(reader, project, ids));
  return rows.map((row) => row.experiment_key);
}

/** The comparison that leaves fewest of the listed runs, when these are few. */
async function findNarrowest(reader: Reader, search: RunSearch) {
  if (search.lifecycle !== 'active') return undefined;
  const comparisons = listedComparisons(search.comparisons);
  if (comparisons.length === 0) return undefined;
  const sizes = await countListed(reader, search.keys, comparisons, few);
  const size = Math.min(...sizes);
  const comparison = comparisons[sizes.indexOf(size)];
  return comparison !== undefined && size < few ? { comparison, size } : undefined;
}

/**
 * Whether an index is walked to the end of a page sooner than `size` runs are looked at and sorted. Of N runs, size
 * match at most, so a page is full after about N / size × limit of them. Looking at one costs about four times as much as
 * passing one on the way of the starts, and many times as much on the way of a metric, where the few are known by id.
 */
async function isWalkShorter(reader: Reader, search: RunSearch, walk: Walk, size: number): Promise<boolean> {
  const cost = walk.along === 'metric' ? 10 : 2;
  return (await estimateRuns(reader, search.keys)) < (cost * size * size) / search.limit;
}

/** How the runs are found: those of a table of ids, when it has few; or along an index, perhaps only those in a list. */
interface Plan {
  readonly candidates?: RawBuilder<unknown>;
  readonly among?: ListedComparison;
}

async function planSearch(reader: Reader, search: RunSearch, walk: Walk | undefined): Promise<Plan> {
  const named = namedRuns(search.comparisons);
  if (named !== undefined)
    return { candidates: sql`select list.value as run_id from ${listRows(reader, [...new Set(named)])}` };
  const narrowest = await findNarrowest(reader, search);
  if (narrowest === undefined) return {};
  const { comparison, size } = narrowest;
  if (walk !== undefined && (await isWalkShorter(reader, search, walk, size))) return { among: comparison };
  return { candidates: sql`${listedBy(reader, search.keys, comparison)} union all ${unlistedIn(reader, search.keys)}` };
}

async function findRows(reader: Reader, search: RunSearch): Promise<readonly FoundRow[]> {
  const possible = walkFor(search.terms);
  const walk = possible?.along === 'start' || search.lifecycle === 'active' ? possible : undefined;
  const { candidates, among } = await planSearch(reader, search, walk);
  if (walk !== undefined && candidates === undefined) return walkRuns(reader, { ...search, among }, walk);
  const where = inExperiments(reader, search.keys);
  return (await executeNamed(reader, selectSorted(reader, search, where, candidates))).rows;
}

async function findPage(reader: Reader, query: RunPageQuery): Promise<FoundRuns<string>> {
  const comparisons = parseFilter(query.filter ?? '');
  compileFilter(reader, runSchema, comparisons); // refuses what cannot be compared before anything is asked
  const terms = toSortTerms((query.orderBy ?? []).map((one) => (typeof one === 'string' ? parseOrdering(one) : one)));
  if (query.after !== undefined && !isPositionOf(terms, query.after)) throw trackingErrors.RUN_POSITION_INVALID();
  const keys = await keysOf(reader, query);
  if (keys.length === 0) return { items: [] };
  const { lifecycle, after, limit } = query;
  const rows = await findRows(reader, { keys, lifecycle, comparisons, terms, after, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map((row) => String(row['run_id'])),
    ...(rows.length > limit && last !== undefined && { next: positionOf(terms, last) }),
  };
}

const at = (next: RunPosition | undefined) => (next === undefined ? {} : { next });

/** Runs of some experiments, with what was logged to them as far as `fields` asks for it: all of it by default. */
export async function searchRuns(
  reader: Reader,
  query: RunPageQuery & { readonly fields?: RunFields },
): Promise<FoundRuns<Run>> {
  const { items, next } = await findPage(reader, query);
  return { items: await toRuns(reader, await listRunRows(reader, items), query.fields), ...at(next) };
}

/** The same as JSON texts, which runs at rest have ready. */
export async function searchRunDocuments(reader: Reader, query: RunPageQuery): Promise<FoundRuns<RunWithDocument>> {
  const { items, next } = await findPage(reader, query);
  return { items: await toDocuments(reader, items), ...at(next) };
}

async function toDocuments(reader: Reader, runIds: readonly string[]): Promise<RunWithDocument[]> {
  const rows = await listRunRowsWithDocuments(reader, runIds);
  const rest = rows.filter(({ document }) => document === null);
  const made = new Map(
    (await toRuns(reader, rest)).map(({ info, ...logged }) => [info.runId, JSON.stringify(toRunDocument(logged))]),
  );
  return rows.map((row) => ({
    info: rowToRunInfo(row),
    document: row.document ?? made.get(row.run_id) ?? '{}',
  }));
}

/** How many runs match, without reading any of them. */
export async function countRuns(reader: Reader, query: RunQuery): Promise<number> {
  const comparisons = parseFilter(query.filter ?? '');
  compileFilter(reader, runSchema, comparisons);
  const keys = await keysOf(reader, query);
  if (keys.length === 0) return 0;
  const { lifecycle } = query;
  const search: RunSearch = { keys, lifecycle, comparisons, terms: [], after: undefined, limit: 0 };
  return countSorted(reader, search, (await planSearch(reader, search, undefined)).candidates);
}
