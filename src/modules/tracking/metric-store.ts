import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { type Cell, jsonRows } from './json-rows-store.ts';
import { decodeValue, encodeValue, latestByKey } from './metric-value.ts';
import type { MetricRow, TrackingTables } from './tracking-tables.ts';
import type { Metric } from './tracking-types.ts';

const rowToMetric = (row: MetricRow): Metric => ({
  key: row.metric_key,
  value: decodeValue(row.value, row.special),
  timestampMs: row.timestamp_ms,
  step: row.step,
});

const toCells = ({ key, timestampMs, step, value }: Metric): readonly Cell[] => [
  key,
  timestampMs,
  step,
  ...encodeValue(value),
];
const cellTypes = ['text', 'bigint', 'bigint', 'double precision', 'smallint'] as const;

/** Adds points to a run's history (exact duplicates once) and moves its latest points on. */
export async function insertMetrics(unit: Unit, runId: string, metrics: readonly Metric[]): Promise<void> {
  const query = unit.query<TrackingTables>();
  const history = jsonRows(unit, cellTypes, metrics.map(toCells));
  await sql`insert into tracking_metrics (run_id, metric_key, timestamp_ms, step, value, special)
    select ${runId}, ${history.columns} from ${history.from} where true
    on conflict (run_id, metric_key, timestamp_ms, step, value, special) do nothing`.execute(query);
  // One row a key: PostgreSQL refuses to update a row twice in one statement.
  const latest = jsonRows(unit, cellTypes, latestByKey(metrics).map(toCells));
  await sql`insert into tracking_latest_metrics (run_id, metric_key, timestamp_ms, step, value, special)
    select ${runId}, ${latest.columns} from ${latest.from} where true
    on conflict (run_id, metric_key) do update set
      timestamp_ms = excluded.timestamp_ms, step = excluded.step, value = excluded.value, special = excluded.special
    where (excluded.step, excluded.timestamp_ms, excluded.value)
      > (tracking_latest_metrics.step, tracking_latest_metrics.timestamp_ms, tracking_latest_metrics.value)`.execute(
    query,
  );
}

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
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_metrics')
    .select([
      'tracking_metrics.run_id',
      'tracking_metrics.metric_key',
      'tracking_metrics.timestamp_ms',
      'tracking_metrics.step',
      'tracking_metrics.value',
      'tracking_metrics.special',
    ])
    .where('tracking_metrics.run_id', '=', runId)
    .where('tracking_metrics.metric_key', '=', key);
  const { limit, after, offset } = page;
  if (after !== undefined)
    select = select.where(
      sql<boolean>`(tracking_metrics.timestamp_ms, tracking_metrics.step, tracking_metrics.value, tracking_metrics.special)
        > (${after.timestampMs}, ${after.step}, ${after.value}, ${after.special})`,
    );
  let ordered = select
    .orderBy('tracking_metrics.timestamp_ms')
    .orderBy('tracking_metrics.step')
    .orderBy('tracking_metrics.value')
    .orderBy('tracking_metrics.special');
  // SQLite knows no offset without a limit
  if (limit !== undefined || offset) ordered = ordered.limit(limit ?? Number.MAX_SAFE_INTEGER);
  if (offset) ordered = ordered.offset(offset);
  return (await ordered.execute()).map(rowToMetric);
}
