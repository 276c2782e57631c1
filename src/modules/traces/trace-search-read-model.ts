import { sql } from 'kysely';
import { parseFilter, parseOrdering } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { compileTraceFilter, compileTraceOrdering, experimentIn, type SearchScope } from './trace-filter-store.ts';
import { listTraceRows, toTraceInfos } from './trace-store.ts';
import { tracesErrors } from './traces-errors.ts';
import type { TracesTables } from './traces-tables.ts';
import type { TraceInfo } from './traces-types.ts';

export interface TraceSearch {
  readonly project: string;
  readonly experimentIds: readonly string[];
  /** The grammar is in trace-filter-store.ts. */
  readonly filter?: string | undefined;
  /** `timestamp_ms DESC`, the first counts most. Default: the newest first. */
  readonly orderBy?: readonly string[] | undefined;
  readonly limit: number;
  /** The last trace of the page before, in the default order. */
  readonly after?: { readonly requestMs: number; readonly traceId: string } | undefined;
  /** How many to leave out, in any other order. */
  readonly offset?: number | undefined;
}

export interface FoundTraces {
  readonly items: readonly TraceInfo[];
  readonly more: boolean;
}

const maxFilterLength = 20_000;
const maxOrderings = 10;

export function toScope(project: string, experimentIds: readonly string[]): SearchScope {
  return { project, experimentIds: experimentIds.flatMap((id) => (/^\d{1,15}$/.test(id) ? [Number(id)] : [])) };
}

export function toComparisons(filter: string | undefined) {
  if (filter !== undefined && filter.length > maxFilterLength)
    throw tracesErrors.TRACE_FILTER_INVALID(`a filter has at most ${maxFilterLength} characters`);
  if (filter?.includes('\0')) throw tracesErrors.TRACE_FILTER_INVALID('a filter holds no NUL character');
  return parseFilter(filter ?? '');
}

/** True when the pages of a search follow each other by time, so that a page begins where the one before ended. */
export const isNewestFirst = (orderBy: readonly string[] | undefined): boolean =>
  orderBy === undefined || orderBy.length === 0;

/** Traces of some experiments, without their spans. */
export async function searchTraces(reader: Reader, query: TraceSearch): Promise<FoundTraces> {
  const scope = toScope(query.project, query.experimentIds);
  if ((query.orderBy?.length ?? 0) > maxOrderings)
    throw tracesErrors.TRACE_FILTER_INVALID(`at most ${maxOrderings} terms of order_by`);
  const order = compileTraceOrdering((query.orderBy ?? []).map(parseOrdering));
  const condition = await compileTraceFilter(reader, scope, toComparisons(query.filter));
  if (scope.experimentIds.length === 0) return { items: [], more: false };
  let select = reader
    .query<TracesTables>()
    .selectFrom('traces_traces')
    .select('traces_traces.trace_id')
    .where('traces_traces.project', '=', query.project)
    .where(sql<boolean>`${experimentIn(reader, scope)}`)
    .where(condition);
  const { after } = query;
  if (after !== undefined)
    select = select.where(
      sql<boolean>`(traces_traces.request_ms < ${after.requestMs}
        or (traces_traces.request_ms = ${after.requestMs} and traces_traces.trace_id > ${after.traceId}))`,
    );
  for (const term of order) select = select.orderBy(term as never);
  const rows = await select
    .orderBy('traces_traces.request_ms', 'desc')
    .orderBy('traces_traces.trace_id')
    .limit(query.limit + 1)
    .offset(query.offset ?? 0)
    .execute();
  const ids = rows.slice(0, query.limit).map((row) => row.trace_id);
  return { items: await listTraceInfos(reader, query.project, ids), more: rows.length > query.limit };
}

/** Those of the traces that are there, in the order asked for. */
export async function listTraceInfos(
  reader: Reader,
  project: string,
  traceIds: readonly string[],
): Promise<readonly TraceInfo[]> {
  const infos = await toTraceInfos(reader, project, await listTraceRows(reader, project, traceIds));
  const byId = new Map(infos.map((info) => [info.traceId, info]));
  return [...new Set(traceIds)].flatMap((id) => byId.get(id) ?? []);
}

/** How many traces match either filter, both, and any at all. */
export async function countTraces(
  reader: Reader,
  query: {
    readonly project: string;
    readonly experimentIds: readonly string[];
    readonly filters: readonly [string, string];
    /** What all counts are of. */
    readonly base?: string | undefined;
  },
): Promise<{ readonly first: number; readonly second: number; readonly both: number; readonly all: number }> {
  const scope = toScope(query.project, query.experimentIds);
  const [first, second] = [
    await compileTraceFilter(reader, scope, toComparisons(query.filters[0])),
    await compileTraceFilter(reader, scope, toComparisons(query.filters[1])),
  ];
  const base = await compileTraceFilter(reader, scope, toComparisons(query.base));
  const { rows } = await sql<{ first: number | null; second: number | null; both: number | null; all_of: number }>`
    select sum(first) as first, sum(second) as second, sum(first * second) as both, count(*) as all_of from (
      select case when ${first} then 1 else 0 end as first, case when ${second} then 1 else 0 end as second
      from traces_traces
      where traces_traces.project = ${query.project} and ${experimentIn(reader, scope)} and ${base}
    ) as counted`.execute(reader.query<TracesTables>());
  const row = rows[0];
  return {
    first: row?.first ?? 0,
    second: row?.second ?? 0,
    both: row?.both ?? 0,
    all: row?.all_of ?? 0,
  };
}
