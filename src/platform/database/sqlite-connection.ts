import Sqlite from 'better-sqlite3';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { withCause } from '../errors.ts';
import { databaseErrors } from './database-errors.ts';
import { refuseNul } from './storable-text.ts';

/** Statements kept per connection. Stores use a few hundred distinct texts: lists go in as one parameter. */
const statementLimit = 1000;

export interface SqliteConnection extends DatabaseConnection {
  readonly raw: Sqlite.Database;
}

interface Prepared {
  readonly statement: Sqlite.Statement;
  readonly readsJson: boolean;
}

/** One SQLite connection behind Kysely's interface, with its prepared statements kept. */
export function createSqliteConnection(raw: Sqlite.Database): SqliteConnection {
  const statements = new Map<string, Prepared>();

  function prepare(text: string): Prepared {
    const known = statements.get(text);
    if (known !== undefined) return known;
    const made = { statement: raw.prepare(text), readsJson: readsJson(text) };
    // The oldest goes first: a plain queue is enough, since what is used often comes back at once.
    if (statements.size === statementLimit) {
      const oldest = statements.keys().next().value;
      if (oldest !== undefined) statements.delete(oldest);
    }
    statements.set(text, made);
    return made;
  }

  return {
    raw,
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      if (!raw.open) throw databaseErrors.DATABASE_CLOSED();
      const { statement, readsJson } = prepare(sql);
      refuseNul(parameters, readsJson);
      try {
        if (statement.reader) {
          const rows = statement.all(parameters);
          if (statement.readonly && rows.some(hasHugeNumber)) refuseUnsafeIntegers(statement, parameters);
          return { rows: rows as R[] };
        }
        const { changes, lastInsertRowid } = statement.run(parameters);
        return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
      } catch (error) {
        if (error instanceof Sqlite.SqliteError && error.code === 'SQLITE_READONLY')
          throw withCause(databaseErrors.READER_WRITES(), error); // or the file is read-only: the start asks the cause
        throw error;
      }
    },
    streamQuery() {
      throw new Error('rows are not streamed from SQLite; page with a keyset instead');
    },
  };
}

/** Whether a statement takes rows out of a JSON text, whose escapes become characters then. */
export const readsJson = (text: string): boolean => text.includes('json_each(');

function hasHugeNumber(row: unknown): boolean {
  for (const value of Object.values(row as object))
    if (typeof value === 'number' && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)) return true;
  return false;
}

/**
 * better-sqlite3 rounds integers beyond 2^53 without a word. A number that large may be a sound double as well, so the
 * query is asked again for exact integers; asking so always would cost every row of every query.
 */
function refuseUnsafeIntegers(statement: Sqlite.Statement, parameters: readonly unknown[]): void {
  const rows = statement.safeIntegers(true).all(parameters);
  statement.safeIntegers(false);
  for (const row of rows)
    for (const value of Object.values(row as object))
      if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value)))
        throw databaseErrors.INTEGER_UNSAFE(String(value));
}
