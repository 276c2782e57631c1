import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { JsonValue } from '#contracts/worker-tables';

/**
 * A DuckDB value as JSON: instants in RFC 3339 UTC (a timestamp without zone is UTC), dates as `2013-01-01`, integers
 * beyond 2^53 as text, NaN and the infinities as null.
 */
export function toJsonValue(value: DuckDBValue): JsonValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return toNumberOrText(value);
  if (value instanceof DuckDBDecimalValue) return value.toDouble();
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return toRfc3339(value.micros);
  if (value instanceof DuckDBTimestampMillisecondsValue) return toRfc3339(value.millis * 1000n);
  if (value instanceof DuckDBTimestampSecondsValue) return toRfc3339(value.seconds * 1_000_000n);
  if (value instanceof DuckDBTimestampNanosecondsValue) return toRfc3339(value.nanos / 1000n);
  if (value instanceof DuckDBDateValue) return value.toString();
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(toJsonValue);
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([key, item]) => [key, toJsonValue(item)]));
  if (value instanceof DuckDBMapValue)
    return Object.fromEntries(value.entries.map(({ key, value: item }) => [String(key), toJsonValue(item)]));
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  return String(value);
}

function toNumberOrText(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function toRfc3339(micros: bigint): string {
  const ms = Number(micros / 1000n);
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return new DuckDBTimestampValue(micros).toString();
  const below = Number(((micros % 1000n) + 1000n) % 1000n);
  const text = date.toISOString();
  return below === 0 ? text.replace('.000Z', 'Z') : text.replace('Z', `${String(below).padStart(3, '0')}Z`);
}
