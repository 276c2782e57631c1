import { type RawBuilder, sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import type { TrackingTables } from './tracking-tables.ts';

/*
 * Histories of listed runs (run-listing-store.ts), printed and in one row each: to print ten thousand points takes a database
 * ten milliseconds, to hand out their text half of one. They are there only while the run is listed: its points are the
 * same then. Between two points is a semicolon, which no number has.
 */

/** A shorter history is as quickly printed anew. */
const fewestPoints = 500;
/** A longer one is asked for in pages, or sampled. */
const mostPoints = 25_000;
/** Points of a run above which none of its histories is packed: all of them are read in the unit that lists it. */
export const mostPackedPoints = 50_000;

/** What is the same in no two points, as JSON, with `between` them. */
export const printPoints = ({ dialect }: Pick<Reader, 'dialect'>, between: string | RawBuilder<unknown>) =>
  dialect === 'sqlite'
    ? sql`group_concat(
        iif(special = 1, '"NaN"', value) || ',"timestamp":' || timestamp_ms || ',"step":' || step, ${between})`
    : // one call a point: each `||` makes a text of its own, and the two cases save one for the value
      sql`string_agg(concat(case special when 1 then '"NaN"' end, case special when 1 then null else value end,
        ',"timestamp":', timestamp_ms, ',"step":', step), ${between})`;

/** Packs the histories of these runs that are worth it, except of a run whose points wait to be put in order. */
export async function packHistories(unit: Unit, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await sql`insert into tracking_packed_histories (run_id, metric_key, point_count, points)
    select run_id, metric_key, count(*), ${printPoints(unit, sql`';'`)} from (
      select tracking_metrics.run_id, tracking_metrics.metric_key, tracking_metrics.timestamp_ms, tracking_metrics.step,
        tracking_metrics.value, tracking_metrics.special
      from tracking_metrics
      where ${inList(unit, 'tracking_metrics.run_id', runIds)} and not exists (
        select 1 from tracking_metric_batches where tracking_metric_batches.run_id = tracking_metrics.run_id)
      order by tracking_metrics.run_id, tracking_metrics.metric_key, tracking_metrics.timestamp_ms,
        tracking_metrics.step, tracking_metrics.value, tracking_metrics.special
    ) as ordered
    group by run_id, metric_key having count(*) between ${sql.lit(fewestPoints)} and ${sql.lit(mostPoints)}`.execute(
    unit.query<TrackingTables>(),
  );
}

/** How many points of each run would be read to pack its histories, counted up to one more than is packed. */
export const countPackable = sql`(select count(*) from (
  select 1 from tracking_metrics where tracking_metrics.run_id = tracking_runs.run_id
  limit ${sql.lit(mostPackedPoints + 1)}) as found)`;

/** Runs of the backlog that a unit looks at; it packs as many of them as it may read points. */
const backlogAtOnce = 20;

/** Are there runs that were listed before histories were packed? */
export async function anyUnpacked(reader: Reader): Promise<boolean> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_unpacked_runs')
    .select('tracking_unpacked_runs.run_id')
    .limit(1)
    .execute();
  return rows.length > 0;
}

/** Packs some of them; those that have left the lists since, or have come back to them, are only taken off. */
export async function packSomeUnpacked(unit: Unit): Promise<void> {
  const { rows } = await sql<{ run_id: string; points: number }>`
    select tracking_unpacked_runs.run_id, case when tracking_runs.listing = 'listed' and not exists (
        select 1 from tracking_packed_histories where tracking_packed_histories.run_id = tracking_runs.run_id)
      then ${countPackable} else 0 end as points
    from tracking_unpacked_runs
    inner join tracking_runs on tracking_runs.run_id = tracking_unpacked_runs.run_id
    order by tracking_unpacked_runs.run_id limit ${backlogAtOnce}`.execute(unit.query<TrackingTables>());
  const done: string[] = [];
  const packed: string[] = [];
  let read = 0;
  for (const { run_id: runId, points } of rows) {
    const isPacked = points >= fewestPoints && points <= mostPackedPoints;
    if (isPacked && packed.length > 0 && read + points > mostPackedPoints) break;
    done.push(runId);
    if (!isPacked) continue;
    packed.push(runId);
    read += points;
  }
  await packHistories(unit, packed);
  if (done.length > 0)
    await sql`delete from tracking_unpacked_runs where ${inList(unit, 'tracking_unpacked_runs.run_id', done)}`.execute(
      unit.query<TrackingTables>(),
    );
}

export interface PackedHistory {
  readonly size: number;
  /** In UTF-8, from the first point's value to the last point's step. */
  readonly printed: Uint8Array;
}

/** A history with `between` two points, where it is packed and has at most so many. */
export async function findPackedHistory(
  reader: Reader,
  history: { readonly runId: string; readonly key: string; readonly between: string; readonly most: number },
): Promise<PackedHistory | undefined> {
  if (reader.dialect === 'sqlite') return (await selectWritten(reader, history)).rows[0];
  // written out here: PostgreSQL's `replace` takes longer, and sends twice as much
  const [found] = (await selectPacked(reader, history)).rows;
  const between = history.between.replaceAll('$', '$$$$'); // which means something in a replacement
  return found && { size: found.size, printed: Buffer.from(found.printed.replaceAll(';', between)) };
}

type HistoryName = { readonly runId: string; readonly key: string; readonly most: number };
// parameters by their names: while a query is built they are placeholders
const found = ({ runId, key, most }: HistoryName) => sql`tracking_packed_histories
  where tracking_packed_histories.run_id = ${runId} and tracking_packed_histories.metric_key = ${key}
    and tracking_packed_histories.point_count <= ${most}`;

const selectPacked = prepareQuery<{ size: number; printed: string }, HistoryName>(
  (
    _reader,
    name,
  ) => sql`select tracking_packed_histories.point_count as size, tracking_packed_histories.points as printed
    from ${found(name)}`,
);
const selectWritten = prepareQuery<PackedHistory, HistoryName & { readonly between: string }>(
  (_reader, history) => sql`select tracking_packed_histories.point_count as size,
      cast(replace(tracking_packed_histories.points, ';', ${history.between}) as blob) as printed
    from ${found(history)}`,
);

/** Takes the histories of the runs that `runIds` selects away: they are about to change. */
export async function dropPackedHistories(unit: Unit, runIds: RawBuilder<unknown>): Promise<void> {
  await sql`delete from tracking_packed_histories where run_id in (${runIds})`.execute(unit.query<TrackingTables>());
}
