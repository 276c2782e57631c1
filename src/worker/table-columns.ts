import { nearestName } from '#platform/errors';
import type { TableColumn } from './session.ts';
import { workerErrors } from './worker-errors.ts';

/** The column of that name. @throws COLUMN_MISSING with the nearest name; `where` names the table in messages */
export function requireColumn(columns: readonly TableColumn[], name: string, where: string): TableColumn {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = columns.map((column) => column.name);
  throw workerErrors.COLUMN_MISSING(name, where, nearestName(name, names));
}

const integers = /^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/;
const numbers = /^(?:FLOAT|DOUBLE|DECIMAL\b.*)$/;
const texts = /^(?:VARCHAR|UUID|ENUM\b.*)$/;
const times = /^(?:TIMESTAMP(?:_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|DATE)$/;

export type TypeFamily = 'integer' | 'number' | 'text' | 'boolean' | 'time' | 'other';

/** What kind of value a DuckDB type holds. */
export function familyOf(type: string): TypeFamily {
  if (type === 'BOOLEAN') return 'boolean';
  if (integers.test(type)) return 'integer';
  if (numbers.test(type)) return 'number';
  if (texts.test(type)) return 'text';
  return times.test(type) ? 'time' : 'other';
}

export type TimeUnit = 'us' | 'ns';

/** The unit that loses nothing of a time column. */
export function unitOf(type: string): TimeUnit {
  return type === 'TIMESTAMP_NS' ? 'ns' : 'us';
}

/**
 * A time column as an integer since 1970 UTC. Timestamps without zone are UTC; an integer is milliseconds; infinite
 * timestamps are null. @throws TIME_COLUMN_INVALID
 */
export function toInstant(expression: string, column: TableColumn, unit: TimeUnit, where: string): string {
  const family = familyOf(column.type);
  if (family === 'integer') return `(${expression}::bigint * ${unit === 'us' ? 1000 : 1_000_000})`;
  if (family !== 'time') throw workerErrors.TIME_COLUMN_INVALID(column.name, column.type, where);
  if (unit === 'ns') return `epoch_ns(${column.type === 'TIMESTAMP_NS' ? expression : `${expression}::timestamp`})`;
  return `epoch_us(${expression}::timestamp)`;
}

/** The same in milliseconds, rounded down. */
export function toMs(expression: string, column: TableColumn, where: string): string {
  if (familyOf(column.type) === 'integer') return `${expression}::bigint`;
  return `(${toInstant(expression, column, 'us', where)} // 1000)`;
}
