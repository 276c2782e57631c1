import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import { anyWaits } from './metric-batch-store.ts';
import { decodeValue, encodeValue } from './metric-value.ts';
import { findPackedHistory, type PackedHistory, printPoints } from './packed-history-store.ts';
import { valueUnder } from './point-group-store.ts';
import type { MetricRow, TrackingTables } from './tracking-tables.ts';
import type { Metric } from './tracking-types.ts';

/** The place in a history after which a page begins. */
export interface HistoryPosition {
  readonly timestampMs: number;
  readonly step: number;
  readonly value: number;
  readonly special: number;
}

export interface HistoryPage {
  readonly limit?: number | undefined;
  readonly after?: HistoryPosition | undefined;
  readonly offset?: number | undefined;
}

type Point = Omit<MetricRow, 'run_id' | 'metric_key'>;

const columns = sql.raw('timestamp_ms, step, value, special');

/** Points that wait in batches (metric-batch-store.ts): few, for each key. */
const waitingPoints = (reader: Reader, runId: string, key: string) => {
  const value = valueUnder(reader, sql.ref('tracking_metric_batches.values_json'), key);
  return sql`select distinct tracking_metric_batches.timestamp_ms, tracking_metric_batches.step, ${value} as value,
      tracking_metric_batches.special
    from tracking_metric_batches where tracking_metric_batches.run_id = ${runId} and ${value} is not null`;
};

/** A metric's points by (timestamp, step, value) as a statement; without those that wait where there are none. */
function selectPoints(
  reader: Reader,
  runId: string,
  key: string,
  { limit = Number.MAX_SAFE_INTEGER, after, offset = 0 }: HistoryPage,
  waits = true,
): RawBuilder<Point> {
  const later = () =>
    after === undefined
      ? sql`1 = 1`
      : sql`(${columns}) > (${after.timestampMs}, ${after.step}, ${after.value}, ${after.special})`;
  const inOrder = sql`order by timestamp_ms, step, value, special limit ${limit} offset ${offset}`;
  const ordered = sql<Point>`select ${columns} from tracking_metrics
    where tracking_metrics.run_id = ${runId} and tracking_metrics.metric_key = ${key} and ${later()}`;
  if (!waits) return sql<Point>`${ordered} ${inOrder}`;
  // Each half in its order, so that both databases merge them without sorting the long one.
  return sql<Point>`
    with waiting (timestamp_ms, step, value, special) as (${waitingPoints(reader, runId, key)})
    ${ordered}
    union all
    select ${columns} from waiting
    where ${later()} and not exists (
      select 1 from tracking_metrics
      where tracking_metrics.run_id = ${runId} and tracking_metrics.metric_key = ${key}
        and tracking_metrics.timestamp_ms = waiting.timestamp_ms and tracking_metrics.step = waiting.step
        and tracking_metrics.value = waiting.value and tracking_metrics.special = waiting.special
    )
    ${inOrder}`;
}

async function readPoints(reader: Reader, runId: string, key: string, page: HistoryPage): Promise<readonly Point[]> {
  return (await selectPoints(reader, runId, key, page).execute(reader.query<TrackingTables>())).rows;
}

/** A metric's points by (timestamp, step, value). */
export async function listHistory(
  reader: Reader,
  runId: string,
  key: string,
  page: HistoryPage = {},
): Promise<Metric[]> {
  return (await readPoints(reader, runId, key, page)).map((row) => ({
    key,
    value: decodeValue(row.value, row.special),
    timestampMs: row.timestamp_ms,
    step: row.step,
  }));
}

export interface HistoryText {
  /** The points as JSON objects with a comma between each, in UTF-8, cut anywhere. */
  readonly pieces: readonly Uint8Array[];
  readonly size: number;
  /** More follow after this place. */
  readonly next?: HistoryPosition;
}

/**
 * The same as a JSON text, of the shape of `toWireMetric`, with further members at the end: as it was packed, or else as
 * the database prints it. As rows, ten thousand points take four times as long, and printed here from packed numbers they
 * hold up all other requests. What is the same in every point is the separator, and the text stays the bytes that SQLite
 * has: each saves a fifth.
 */
export async function printHistory(
  reader: Reader,
  runId: string,
  key: string,
  page: {
    readonly limit?: number | undefined;
    readonly after?: HistoryPosition | undefined;
    /** Only histories of listed runs are. */
    readonly mayBePacked: boolean;
  },
  more: Readonly<Record<string, string>> = {},
): Promise<HistoryText> {
  const { limit, after, mayBePacked } = page;
  const members = JSON.stringify(more).slice(1, -1);
  const [begin, end] = [`{"key":${JSON.stringify(key)},"value":`, members === '' ? '}' : `,${members}}`];
  const between = `${end},${begin}`;
  const most = limit ?? Number.MAX_SAFE_INTEGER;
  const packed =
    mayBePacked && after === undefined ? await findPackedHistory(reader, { runId, key, between, most }) : undefined;
  const { size, printed } = packed ?? (await printRows(reader, runId, key, { limit, after }, between));
  if (size === 0) return { pieces: [], size };
  const text = { pieces: [Buffer.from(begin), printed, Buffer.from(end)], size };
  if (packed !== undefined || limit === undefined || size < limit) return text;
  // taken from what was printed: asked for again, it may have moved with a point that was logged meanwhile
  const bytes = Buffer.from(printed.buffer, printed.byteOffset, printed.byteLength);
  const last = size === 1 ? bytes : bytes.subarray(bytes.lastIndexOf(between) + Buffer.byteLength(between));
  const next = placeOf(JSON.parse(`${begin}${last.toString()}}`) as PrintedPoint);
  const [following] = await readPoints(reader, runId, key, { limit: 1, after: next });
  return following === undefined ? text : { ...text, next };
}

async function printRows(
  reader: Reader,
  runId: string,
  key: string,
  page: HistoryPage,
  between: string,
): Promise<PackedHistory> {
  const points = selectPoints(reader, runId, key, page, await anyWaits(reader, runId));
  const text = printPoints(reader, between);
  const { rows } = await sql<{ printed: Uint8Array | string | null; size: number }>`
    select ${reader.dialect === 'sqlite' ? sql`cast(${text} as blob)` : text} as printed, count(*) as size
    from (${points}) as found`.execute(reader.query<TrackingTables>());
  const { printed, size } = rows[0] ?? { printed: null, size: 0 };
  // not copied where it is bytes: megabytes
  return { size, printed: typeof printed === 'string' ? Buffer.from(printed) : (printed ?? new Uint8Array()) };
}

interface PrintedPoint {
  readonly value: number | 'NaN';
  readonly timestamp: number;
  readonly step: number;
}

/** The greatest number stands for infinity; nobody logs it as itself. */
function placeOf({ value, timestamp, step }: PrintedPoint): HistoryPosition {
  const meant = Math.abs(Number(value)) === Number.MAX_VALUE ? Number(value) * 2 : Number(value);
  const [stored, special] = encodeValue(meant);
  return { timestampMs: timestamp, step, value: stored, special };
}

/** A history's points as they lie, for those who look for some of them. */
export interface HistorySource {
  /** Whether it has more than so many points. */
  isLongerThan(size: number): Promise<boolean>;
  /** All of it. */
  all(): Promise<readonly Point[]>;
  /** Of each instant the first point that is not before it, where there is one, each once. */
  seek(instantsMs: readonly number[]): Promise<readonly Point[]>;
  /** The first and the last by time. */
  ends(): Promise<readonly Point[]>;
  /** Points that wait to be put in order; the others of this source leave them out. */
  waiting(): Promise<readonly Point[]>;
}
export type { Point as HistoryPoint };

export function historySource(reader: Reader, runId: string, key: string): HistorySource {
  const query = reader.query<TrackingTables>();
  const ofMetric = sql`tracking_metrics.run_id = ${runId} and tracking_metrics.metric_key = ${key}`;
  const packed = sql.raw(
    reader.dialect === 'sqlite'
      ? `json_array(timestamp_ms, step, format('%!.17g', value), special)`
      : `json_build_array(timestamp_ms, step, value::text, special)::text`,
  );
  const one = (direction: 'asc' | 'desc', condition: RawBuilder<unknown>) => sql`(select ${packed} from tracking_metrics
    where ${ofMetric} and ${condition}
    order by ${sql.raw(['timestamp_ms', 'step', 'value', 'special'].map((name) => `${name} ${direction}`).join(', '))}
    limit 1)`;
  return {
    async isLongerThan(size) {
      const { rows } = await sql<{ size: number }>`select count(*) as size from (
        select 1 from tracking_metrics where ${ofMetric} limit ${size + 1}) as found`.execute(query);
      return (rows[0]?.size ?? 0) > size;
    },
    async all() {
      return (
        await sql<Point>`select ${columns} from tracking_metrics where ${ofMetric} order by ${columns}`.execute(query)
      ).rows;
    },
    async seek(instantsMs) {
      const list =
        reader.dialect === 'sqlite'
          ? sql`json_each(${JSON.stringify(instantsMs)}) as list`
          : sql`unnest(${instantsMs}::bigint[]) as list(value)`;
      const { rows } = await sql<{ point: string | null }>`
        select distinct ${one('asc', sql`tracking_metrics.timestamp_ms >= list.value`)} as point from ${list}`.execute(
        query,
      );
      return rows.flatMap(({ point }) => (point === null ? [] : [unpack(point)]));
    },
    async ends() {
      const { rows } = await sql<{ first: string | null; last: string | null }>`
        select ${one('asc', sql`1 = 1`)} as first, ${one('desc', sql`1 = 1`)} as last`.execute(query);
      return rows.flatMap(({ first, last }) => (first === null || last === null ? [] : [unpack(first), unpack(last)]));
    },
    async waiting() {
      return (await sql<Point>`${waitingPoints(reader, runId, key)}`.execute(query)).rows;
    },
  };
}

function unpack(text: string): Point {
  const [timestamp_ms, step, value, special] = JSON.parse(text) as [number, number, string, number]; // as packed above
  return { timestamp_ms, step, value: Number(value), special };
}
