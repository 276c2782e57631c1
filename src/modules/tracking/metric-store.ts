import { type RawBuilder, sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import { insertBatches, wideKeys } from './metric-batch-store.ts';
import { groupPoints, type PointGroup } from './metric-groups.ts';
import { decodeValue, latestByKey } from './metric-value.ts';
import { pointsOf, toGroupsJson, valueUnder } from './point-group-store.ts';
import type { MetricRow, TrackingTables } from './tracking-tables.ts';
import type { Metric } from './tracking-types.ts';

const rowToMetric = (row: MetricRow): Metric => ({
  key: row.metric_key,
  value: decodeValue(row.value, row.special),
  timestampMs: row.timestamp_ms,
  step: row.step,
});

/** Adds points to a run's history (exact duplicates once) and moves its latest points on. */
export async function insertMetrics(unit: Unit, runId: string, metrics: readonly Metric[]): Promise<void> {
  const groups = groupPoints(metrics);
  const [wide, narrow] = [groups.filter(isWide), groups.filter((group) => !isWide(group))];
  if (wide.length > 0) await insertBatches(unit, runId, wide);
  if (narrow.length > 0) await insertPoints(unit, { runId, groupsJson: toGroupsJson(narrow) });
  // One row a key: PostgreSQL refuses to update a row twice in one statement.
  const latest = groups.length === 1 ? groups : groupPoints(latestByKey(metrics));
  await moveLatest(unit, { runId, groupsJson: toGroupsJson(latest) });
}

const isWide = ({ size }: PointGroup) => size >= wideKeys;

interface PointsOfRun extends Record<string, string> {
  readonly runId: string;
  readonly groupsJson: string;
}

const insertPoints = prepareQuery<never, PointsOfRun>((unit, { runId, groupsJson }) => {
  const points = pointsOf(unit, groupsJson);
  return sql`${points.groups}
    insert into tracking_metrics (run_id, metric_key, timestamp_ms, step, value, special)
    select ${runId}, ${points.columns} from ${points.from} where true
    on conflict (run_id, metric_key, timestamp_ms, step, value, special) do nothing`;
});

const moveLatest = prepareQuery<never, PointsOfRun>((unit, { runId, groupsJson }) => {
  const points = pointsOf(unit, groupsJson);
  return sql`${points.groups}
    insert into tracking_latest_metrics (run_id, metric_key, timestamp_ms, step, value, special)
    select ${runId}, ${points.columns} from ${points.from} where true
    on conflict (run_id, metric_key) do update set
      timestamp_ms = excluded.timestamp_ms, step = excluded.step, value = excluded.value, special = excluded.special
    where (excluded.step, excluded.timestamp_ms, excluded.value)
      > (tracking_latest_metrics.step, tracking_latest_metrics.timestamp_ms, tracking_latest_metrics.value)`;
});

/** The latest points of several runs, by run. */
export async function listLatestMetrics(
  reader: Reader,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Metric[]>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_latest_metrics')
    .select([
      'tracking_latest_metrics.run_id',
      'tracking_latest_metrics.metric_key',
      'tracking_latest_metrics.timestamp_ms',
      'tracking_latest_metrics.step',
      'tracking_latest_metrics.value',
      'tracking_latest_metrics.special',
    ])
    .where(inList(reader, 'tracking_latest_metrics.run_id', runIds))
    .orderBy('tracking_latest_metrics.run_id')
    .orderBy('tracking_latest_metrics.metric_key')
    .execute();
  const metrics = new Map<string, Metric[]>();
  for (const row of rows) {
    const list = metrics.get(row.run_id);
    if (list === undefined) metrics.set(row.run_id, [rowToMetric(row)]);
    else list.push(rowToMetric(row));
  }
  return metrics;
}

/** The place in a history after which a page begins. */
export interface HistoryPosition {
  readonly timestampMs: number;
  readonly step: number;
  readonly value: number;
  readonly special: number;
}

/** A metric's points by (timestamp, step, value). */
export async function listHistory(
  reader: Reader,
  runId: string,
  key: string,
  page: {
    readonly limit?: number | undefined;
    readonly after?: HistoryPosition | undefined;
    readonly offset?: number | undefined;
  } = {},
): Promise<Metric[]> {
  const { limit, after, offset } = page;
  const later = (columns: RawBuilder<unknown>) =>
    after === undefined
      ? sql`1 = 1`
      : sql`(${columns}) > (${after.timestampMs}, ${after.step}, ${after.value}, ${after.special})`;
  const columns = sql.raw('timestamp_ms, step, value, special');
  const value = valueUnder(reader, sql.ref('tracking_metric_batches.values_json'), key);
  // Each half in its order, so that both databases merge them without sorting the long one.
  const { rows } = await sql<MetricRow>`
    with waiting (timestamp_ms, step, value, special) as (
      select distinct tracking_metric_batches.timestamp_ms, tracking_metric_batches.step, ${value},
        tracking_metric_batches.special
      from tracking_metric_batches where tracking_metric_batches.run_id = ${runId} and ${value} is not null
    )
    select ${columns} from tracking_metrics
    where tracking_metrics.run_id = ${runId} and tracking_metrics.metric_key = ${key} and ${later(columns)}
    union all
    select ${columns} from waiting
    where ${later(columns)} and not exists (
      select 1 from tracking_metrics
      where tracking_metrics.run_id = ${runId} and tracking_metrics.metric_key = ${key}
        and tracking_metrics.timestamp_ms = waiting.timestamp_ms and tracking_metrics.step = waiting.step
        and tracking_metrics.value = waiting.value and tracking_metrics.special = waiting.special
    )
    order by timestamp_ms, step, value, special
    limit ${limit ?? Number.MAX_SAFE_INTEGER} offset ${offset ?? 0}`.execute(reader.query<TrackingTables>());
  return rows.map((row) => rowToMetric({ ...row, metric_key: key }));
}
