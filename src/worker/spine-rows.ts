import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBTimestampValue,
  type DuckDBType,
  type DuckDBValue,
  TIMESTAMP,
  VARCHAR,
} from '@duckdb/node-api';
import type { Session } from './session.ts';
import { quoteName } from './sql-quote.ts';
import { workerErrors } from './worker-errors.ts';

type JsonRow = Readonly<Record<string, string | number | boolean | null>>;

/** Rows that came as JSON → a table; the type of a column follows from its values, `at` is a timestamp. */
export async function createRowsTable(
  session: Session,
  table: string,
  rows: readonly JsonRow[],
  at: string,
): Promise<void> {
  const names = [...new Set([at, ...rows.flatMap((row) => Object.keys(row))])];
  const columns = names.map((name) => ({ name, type: name === at ? TIMESTAMP : typeOf(rows, name) }));
  const declared = columns.map(({ name, type }) => `${quoteName(name)} ${type.toString()}`).join(', ');
  await session.run(`create table ${quoteName(table)} (${declared})`);
  const appender = await session.appenderOf(table);
  for (const [index, row] of rows.entries()) {
    for (const { name, type } of columns) {
      const value = row[name] ?? null;
      appender.appendValue(name === at ? toTimestamp(value, index) : toValue(value, type), type);
    }
    appender.endRow();
  }
  appender.closeSync();
}

function typeOf(rows: readonly JsonRow[], name: string): DuckDBType {
  const values = rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
  if (values.length > 0 && values.every((value) => typeof value === 'boolean')) return BOOLEAN;
  if (values.length > 0 && values.every((value) => Number.isSafeInteger(value))) return BIGINT;
  return values.length > 0 && values.every((value) => typeof value === 'number') ? DOUBLE : VARCHAR;
}

function toValue(value: string | number | boolean | null, type: DuckDBType): DuckDBValue {
  if (value === null) return null;
  if (type === BIGINT) return BigInt(value);
  return type === VARCHAR ? String(value) : value;
}

/** RFC 3339, or milliseconds; a text without an offset is UTC. */
function toTimestamp(value: string | number | boolean | null, row: number): DuckDBValue {
  if (value === null) return null;
  const ms = typeof value === 'string' ? Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(value) ? value : `${value}Z`) : value;
  if (typeof ms !== 'number' || !Number.isFinite(ms))
    throw workerErrors.TASK_INPUT_INVALID(
      'join',
      `row ${row} has no instant where one is expected: ${JSON.stringify(value)}`,
    );
  return new DuckDBTimestampValue(BigInt(Math.round(ms)) * 1000n);
}
