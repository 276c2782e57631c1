import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import type { PointGroup } from './metric-groups.ts';
import { unpackValues } from './point-group-store.ts';
import type { TrackingTables } from './tracking-tables.ts';

/*
 * tracking_metrics is ordered by (run, key, time), so that a history is read in one go; a batch of a hundred keys written
 * there changes a hundred pages. A group of many keys therefore waits whole in tracking_metric_batches, and those of a
 * run are put in order together: then each key gets many points at once. Readers of histories look at both places.
 */

/** Keys from which on a group waits. */
export const wideKeys = 20;

/** Keeps groups as they are. */
export async function insertBatches(unit: Unit, runId: string, groups: readonly PointGroup[]): Promise<void> {
  // nearly always one: a client logs what belongs together in one call
  await Promise.all(
    groups.map(({ timestampMs, step, special, size, valuesJson }) =>
      insertBatch(unit, { runId, batchId: unit.newId(), timestampMs, step, special, size, valuesJson }),
    ),
  );
}

interface BatchOfRun extends Record<string, string | number> {
  readonly runId: string;
  readonly batchId: string;
  readonly timestampMs: number;
  readonly step: number;
  readonly special: number;
  readonly size: number;
  readonly valuesJson: string;
}

const insertBatch = prepareQuery<never, BatchOfRun>((unit, batch) =>
  unit.query<TrackingTables>().insertInto('tracking_metric_batches').values({
    run_id: batch.runId,
    batch_id: batch.batchId,
    timestamp_ms: batch.timestampMs,
    step: batch.step,
    special: batch.special,
    point_count: batch.size,
    values_json: batch.valuesJson,
  }),
);

/** How many points of each run wait. */
export async function countWaitingPoints(
  reader: Reader,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_metric_batches')
    .select((of) => [
      'tracking_metric_batches.run_id',
      of.fn.sum<number>('tracking_metric_batches.point_count').as('points'),
    ])
    .where(inList(reader, 'tracking_metric_batches.run_id', runIds))
    .groupBy('tracking_metric_batches.run_id')
    .execute();
  return new Map(rows.map((row) => [row.run_id, row.points]));
}

/** Whether any point of a run waits. */
export async function anyWaits(reader: Reader, runId: string): Promise<boolean> {
  return (await findWaiting(reader, { runId })).rows.length > 0;
}

const findWaiting = prepareQuery<{ one: number }, { runId: string }>(
  (_reader, { runId }) =>
    sql`select 1 as one from tracking_metric_batches where tracking_metric_batches.run_id = ${runId} limit 1`,
);

/**
 * Puts the waiting points of a run into its histories, exact duplicates once. Where it is known that there are none it is
 * said by `distinct`: looking for each of them costs PostgreSQL nearly as much again as putting it there, and one that was
 * there after all is a broken constraint.
 */
export async function orderBatches(
  unit: Unit,
  runId: string,
  { distinct = false }: { readonly distinct?: boolean } = {},
): Promise<void> {
  if (!(await anyWaits(unit, runId))) return;
  const values = unpackValues(unit, sql.ref('tracking_metric_batches.values_json'));
  await sql`insert into tracking_metrics (run_id, metric_key, timestamp_ms, step, value, special)
    select tracking_metric_batches.run_id, point.key, tracking_metric_batches.timestamp_ms,
      tracking_metric_batches.step, ${values.value}, tracking_metric_batches.special
    from tracking_metric_batches cross join ${values.from}
    where tracking_metric_batches.run_id = ${runId}
    order by 2, 3, 4, 5, 6
    ${distinct ? sql`` : sql`on conflict (run_id, metric_key, timestamp_ms, step, value, special) do nothing`}`.execute(
    unit.query<TrackingTables>(),
  );
  await unit
    .query<TrackingTables>()
    .deleteFrom('tracking_metric_batches')
    .where('tracking_metric_batches.run_id', '=', runId)
    .execute();
}
