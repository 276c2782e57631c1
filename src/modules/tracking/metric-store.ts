import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inJsonList } from './json-rows-store.ts';
import { insertBatches, wideKeys } from './metric-batch-store.ts';
import { groupPoints, type PointGroup } from './metric-groups.ts';
import { decodeValue, encodeValue, latestByKey } from './metric-value.ts';
import { pointsOf, pointsOfHistories, toGroupsJson } from './point-group-store.ts';
import type { MetricRow, TrackingTables } from './tracking-tables.ts';
import type { Metric } from './tracking-types.ts';

const rowToMetric = (row: MetricRow): Metric => ({
  key: row.metric_key,
  value: decodeValue(row.value, row.special),
  timestampMs: row.timestamp_ms,
  step: row.step,
});

interface InsertedMetrics {
  readonly written: Promise<unknown>;
  /** How many of the points wait. */
  readonly waiting: number;
}

/** Adds points to a run's history (exact duplicates once) and moves its latest points on. */
export function insertMetrics(unit: Unit, runId: string, metrics: readonly Metric[]): InsertedMetrics {
  const groups = groupPoints(metrics);
  const [wide, narrow] = [groups.filter(isWide), groups.filter((group) => !isWide(group))];
  // One row a key: PostgreSQL refuses to update a row twice in one statement.
  const latest = groups.length === 1 ? groups : groupPoints(latestByKey(metrics));
  const written = Promise.all([
    wide.length > 0 && insertBatches(unit, runId, wide),
    narrow.length > 0 && insertPoints(unit, { runId, groupsJson: toGroupsJson(narrow) }),
    moveLatest(unit, { runId, groupsJson: toGroupsJson(latest) }),
  ]);
  return { written, waiting: wide.reduce((sum, { size }) => sum + size, 0) };
}

/** Adds points of several runs, each metric's in a row, straight to their histories (exact duplicates once). */
export async function insertHistories(
  unit: Unit,
  histories: readonly { readonly runId: string; readonly key: string; readonly points: readonly Metric[] }[],
): Promise<void> {
  // run and key stand once before their points: half the JSON of a row that has them all
  const text = JSON.stringify(
    histories.map(({ runId, key, points }) => [
      runId,
      key,
      points.map(({ timestampMs, step, value }) => [timestampMs, step, ...encodeValue(value)]),
    ]),
  );
  const { histories: given, columns, from } = pointsOfHistories(unit, text);
  await sql`${given}
    insert into tracking_metrics (run_id, metric_key, timestamp_ms, step, value, special)
    select ${columns} from ${from} where true
    on conflict (run_id, metric_key, timestamp_ms, step, value, special) do nothing`.execute(
    unit.query<TrackingTables>(),
  );
  const byRun = new Map<string, Metric[]>();
  for (const { runId, points } of histories) {
    const ofRun = byRun.get(runId);
    if (ofRun === undefined) byRun.set(runId, latestByKey(points));
    else ofRun.push(...latestByKey(points));
  }
  for (const [runId, points] of byRun)
    await moveLatest(unit, { runId, groupsJson: toGroupsJson(groupPoints(latestByKey(points))) });
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

/** The latest points of several runs, by run: all of them, or those of some keys. */
export async function listLatestMetrics(
  reader: Reader,
  runIds: readonly string[],
  keys: 'all' | readonly string[] = 'all',
): Promise<ReadonlyMap<string, readonly Metric[]>> {
  if (keys.length === 0) return new Map();
  const ids = JSON.stringify(runIds);
  const { rows } =
    keys === 'all'
      ? await selectLatest(reader, { ids })
      : await selectSomeLatest(reader, { ids, keys: JSON.stringify(keys) });
  const metrics = new Map<string, Metric[]>();
  for (const row of rows) {
    const list = metrics.get(row.run_id);
    if (list === undefined) metrics.set(row.run_id, [rowToMetric(row)]);
    else list.push(rowToMetric(row));
  }
  return metrics;
}

const latestColumns = sql`tracking_latest_metrics.run_id, tracking_latest_metrics.metric_key,
  tracking_latest_metrics.timestamp_ms, tracking_latest_metrics.step, tracking_latest_metrics.value,
  tracking_latest_metrics.special`;
const latestOrder = sql`order by tracking_latest_metrics.run_id, tracking_latest_metrics.metric_key`;

const selectLatest = prepareQuery<MetricRow, { ids: string }>(
  (reader, { ids }) => sql`select ${latestColumns} from tracking_latest_metrics
    where ${inJsonList(reader, 'tracking_latest_metrics.run_id', ids)} ${latestOrder}`,
);
const selectSomeLatest = prepareQuery<MetricRow, { ids: string; keys: string }>(
  (reader, { ids, keys }) => sql`select ${latestColumns} from tracking_latest_metrics
    where ${inJsonList(reader, 'tracking_latest_metrics.run_id', ids)}
      and ${inJsonList(reader, 'tracking_latest_metrics.metric_key', keys)} ${latestOrder}`,
);
