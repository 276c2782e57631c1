import Sqlite from 'better-sqlite3';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { databaseErrors } from './database-errors.ts';

/** Statements kept per connection. Stores use a few hundred distinct texts: lists go in as one parameter. */
const statementLimit = 1000;

export interface SqliteConnection extends DatabaseConnection {
  readonly raw: Sqlite.Database;
}

/** One SQLite connection behind Kysely's interface, with its prepared statements kept. */
export function createSqliteConnection(raw: Sqlite.Database): SqliteConnection {
  const statements = new Map<string, Sqlite.Statement>();

  function prepare(text: string): Sqlite.Statement {
    const known = statements.get(text);
    if (known !== undefined) return known;
    const made = raw.prepare(text);
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
      const statement = prepare(sql);
      // A statement that is both a reader and running (a nested iterate) cannot happen: rows are taken whole.
      if (statement.reader) return { rows: statement.all(parameters) as R[] };
      try {
        const { changes, lastInsertRowid } = statement.run(parameters);
        return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
      } catch (error) {
        if (error instanceof Sqlite.SqliteError && error.code === 'SQLITE_READONLY')
          throw databaseErrors.READER_WRITES();
        throw error;
      }
    },
    streamQuery() {
      throw new Error('rows are not streamed from SQLite; page with a keyset instead');
    },
  };
}
