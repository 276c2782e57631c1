import { type RawBuilder, sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { jsonRows } from './json-rows-store.ts';
import { special } from './metric-value.ts';
import { countPackable, dropPackedHistories, mostPackedPoints, packHistories } from './packed-history-store.ts';
import { toRunDocument } from './run-document.ts';
import { listRunRows, toRuns } from './run-store.ts';
import type { RunStatus, TrackingTables } from './tracking-tables.ts';

/*
 * A run's listing, a state of its row:
 *
 *   waiting ──(it has ended, or nobody writes to it)──► listed        by the loop of run-listing.ts
 *   waiting ──(it has too many values)────────────────► wide          stays so
 *   listed ───(somebody writes to it, or deletes it)──► waiting       in the unit that does it, before it does
 *
 * So the tables `tracking_listed_*`, `tracking_run_documents` and `tracking_packed_histories` have exactly what listed runs
 * have, all of them active, and a batch of metrics of a run under way costs what it cost without them.
 */

/** Values from which on a run is not worth listing: to take them out again would hold other writers up. */
const mostValues = 5000;
/** Values that a unit lists, unless one run alone has more: the writer is held for some hundredths of a second. */
const mostValuesAtOnce = 8000;
/** Points that are packed as quickly as a value is listed. */
const pointsOfValue = 8;
/** A document that is larger is put together when it is asked for: pages of such runs are rare. */
const mostDocumentLength = 256 * 1024;
/** Characters of a text that are listed; more of them would not fit into an index of PostgreSQL. */
export const headLength = 100;

const isListable = sql`tracking_runs.lifecycle = 'active' and tracking_runs.listing = 'waiting'`;
/** Said besides, for the index of what is not listed: SQLite does not conclude it. */
export const isUnlisted = sql`tracking_runs.listing <> 'listed'`;

export interface WaitingRun {
  readonly runId: string;
  readonly status: RunStatus;
}

/** Active runs that may be listed, after `after` in the order of (experiment, id). */
export async function listWaitingRuns(
  reader: Reader,
  after: { readonly experimentKey: number; readonly runId: string } | undefined,
  limit: number,
): Promise<readonly (WaitingRun & { readonly experimentKey: number })[]> {
  const { rows } = await sql<{ run_id: string; status: RunStatus; experiment_key: number }>`
    select tracking_runs.run_id, tracking_runs.status, tracking_runs.experiment_key from tracking_runs
    where ${isListable} and ${isUnlisted} and (tracking_runs.experiment_key, ${runIdByBytes(reader)}) > (${after?.experimentKey ?? -1}, ${after?.runId ?? ''})
    order by tracking_runs.experiment_key, ${runIdByBytes(reader)} limit ${limit}`.execute(
    reader.query<TrackingTables>(),
  );
  return rows.map((row) => ({ runId: row.run_id, status: row.status, experimentKey: row.experiment_key }));
}

/** Ids compared by their bytes: PostgreSQL would compare them by the language of the database. */
export const runIdByBytes = ({ dialect }: Pick<Reader, 'dialect'>) =>
  dialect === 'postgres' ? sql`tracking_runs.run_id collate "C"` : sql`tracking_runs.run_id`;

const metricsOf = sql`select tracking_runs.experiment_key, tracking_latest_metrics.metric_key,
    case when tracking_latest_metrics.special = ${sql.lit(special.nan)} then 1 else 0 end as is_nan,
    -tracking_latest_metrics.value as falling, -tracking_runs.start_ms as before_ms, tracking_runs.run_id
  from tracking_runs
  inner join tracking_latest_metrics on tracking_latest_metrics.run_id = tracking_runs.run_id`;

const textsOf = (kind: 'param' | 'tag', withCut: boolean) => {
  const [table, key, value] =
    kind === 'param' ? ['tracking_params', 'param_key', 'param_value'] : ['tracking_run_tags', 'tag_key', 'tag_value'];
  const text = sql.ref(`${table}.${value}`);
  return sql`select tracking_runs.experiment_key, ${sql.lit(kind)} as kind, ${sql.ref(`${table}.${key}`)} as text_key,
      substr(${text}, 1, ${sql.lit(headLength)}) as head, tracking_runs.run_id ${withCut ? sql`, case when length(${text}) > ${sql.lit(headLength)} then 1 else 0 end as is_cut` : sql``}
    from tracking_runs inner join ${sql.table(table)} on ${sql.ref(`${table}.run_id`)} = tracking_runs.run_id`;
};

/**
 * Lists those of these runs that are still waiting, from the first on, as many as fit into a unit.
 * @returns how many of them need not come again, at least one
 */
export async function listRuns(unit: Unit, runIds: readonly string[]): Promise<number> {
  const query = unit.query<TrackingTables>();
  const { rows } = await sql<{ run_id: string; size: number; points: number }>`
    select tracking_runs.run_id, ${countPackable} as points,
      (select count(*) from tracking_latest_metrics where tracking_latest_metrics.run_id = tracking_runs.run_id)
      + (select count(*) from tracking_params where tracking_params.run_id = tracking_runs.run_id)
      + (select count(*) from tracking_run_tags where tracking_run_tags.run_id = tracking_runs.run_id) as size
    from tracking_runs where ${inList(unit, 'tracking_runs.run_id', runIds)} and ${isListable}`.execute(query);
  const sizes = new Map(rows.map((row) => [row.run_id, row.size]));
  const packable = new Map(rows.flatMap((row) => (row.points > mostPackedPoints ? [] : [[row.run_id, row.points]])));
  const wide = runIds.filter((runId) => (sizes.get(runId) ?? 0) > mostValues);
  if (wide.length > 0) await setListing(unit, wide, 'wide');
  const found: string[] = [];
  let values = 0;
  let done = 0;
  for (const runId of runIds) {
    const size = sizes.get(runId);
    if (size !== undefined && size <= mostValues) {
      const work = size + (packable.get(runId) ?? 0) / pointsOfValue;
      if (found.length > 0 && values + work > mostValuesAtOnce) break;
      found.push(runId);
      values += work;
    }
    done += 1;
  }
  if (found.length > 0) await insertLists(unit, found);
  await packHistories(
    unit,
    found.filter((runId) => packable.has(runId)),
  );
  return done;
}

async function insertLists(unit: Unit, found: readonly string[]): Promise<void> {
  const query = unit.query<TrackingTables>();
  const these = inList(unit, 'tracking_runs.run_id', found);
  await sql`insert into tracking_listed_metrics
      (experiment_key, metric_key, is_nan, falling, before_ms, run_id)
    ${metricsOf} where ${these} order by 1, 2, 3, 4, 5, 6`.execute(query);
  for (const kind of ['param', 'tag'] as const)
    await sql`insert into tracking_listed_texts (experiment_key, kind, text_key, head, run_id, is_cut)
      ${textsOf(kind, true)} where ${these} order by 1, 3, 4, 5`.execute(query);
  const documents = (await toRuns(unit, await listRunRows(unit, found)))
    .map(({ info, ...logged }) => [info.runId, JSON.stringify(toRunDocument(logged))] as const)
    .filter(([, document]) => document.length <= mostDocumentLength);
  const { columns, from } = jsonRows(unit, ['text', 'text'], documents);
  await sql`insert into tracking_run_documents (run_id, document) select ${columns} from ${from} where true`.execute(
    query,
  );
  await setListing(unit, found, 'listed');
}

async function setListing(unit: Unit, runIds: readonly string[], listing: 'listed' | 'wide'): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_runs')
    .set({ listing })
    .where(inList(unit, 'tracking_runs.run_id', runIds))
    .execute();
}

/** Takes a listed run out of the lists. Before anything of it changes: what is listed is found by what it says now. */
export async function unlistRun(unit: Unit, runId: string): Promise<void> {
  await unlistThese(unit, sql`tracking_runs.run_id = ${runId}`);
}

/** The same for those of these runs that are listed. */
export async function unlistRuns(unit: Unit, runIds: readonly string[]): Promise<void> {
  await unlistThese(unit, sql`${inList(unit, 'tracking_runs.run_id', runIds)} and tracking_runs.listing = 'listed'`);
}

async function unlistThese(unit: Unit, these: RawBuilder<unknown>): Promise<void> {
  const query = unit.query<TrackingTables>();
  await sql`delete from tracking_listed_metrics
    where (experiment_key, metric_key, is_nan, falling, before_ms, run_id)
      in (${metricsOf} where ${these})`.execute(query);
  for (const kind of ['param', 'tag'] as const)
    await sql`delete from tracking_listed_texts where (experiment_key, kind, text_key, head, run_id)
      in (${textsOf(kind, false)} where ${these})`.execute(query);
  const ids = sql`select tracking_runs.run_id from tracking_runs where ${these}`;
  await sql`delete from tracking_run_documents where run_id in (${ids})`.execute(query);
  await dropPackedHistories(unit, ids);
  await sql`update tracking_runs set listing = 'waiting' where ${these}`.execute(query);
}

/** Takes every run of an experiment out of the lists. */
export async function unlistExperiment(unit: Unit, experimentKey: number): Promise<void> {
  const query = unit.query<TrackingTables>();
  const ids = sql`select tracking_runs.run_id from tracking_runs
    where tracking_runs.experiment_key = ${experimentKey} and tracking_runs.listing = 'listed'`;
  await sql`delete from tracking_run_documents where run_id in (${ids})`.execute(query);
  await dropPackedHistories(unit, ids);
  await sql`delete from tracking_listed_metrics where experiment_key = ${experimentKey}`.execute(query);
  await sql`delete from tracking_listed_texts where experiment_key = ${experimentKey}`.execute(query);
  await query
    .updateTable('tracking_runs')
    .set({ listing: 'waiting' })
    .where('tracking_runs.experiment_key', '=', experimentKey)
    .where('tracking_runs.listing', '=', 'listed')
    .execute();
}
