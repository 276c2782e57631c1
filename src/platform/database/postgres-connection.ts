import type { DatabaseConnection, QueryResult } from 'kysely';
import { type CustomTypesConfig, DatabaseError, type Pool, TypeOverrides } from 'pg';
import { withCause } from '../errors.ts';
import type { NamedQuery } from '../prepared-query.ts';
import { databaseErrors } from './database-errors.ts';
import { createFlights, type SendQuery } from './postgres-flight.ts';

const int8 = 20;
const numeric = 1700;
/** SQLSTATE read_only_sql_transaction. */
const readOnlyTransaction = '25006';
/** character_not_in_repertoire, untranslatable_character: of JavaScript's texts PostgreSQL refuses those with U+0000. */
const refusedTexts: ReadonlySet<string> = new Set(['22021', '22P05']);
/** invalid_text_representation: of the JSON that we write, PostgreSQL refuses halves of surrogate pairs alone. */
const isHalfPair = ({ code, detail }: DatabaseError): boolean => code === '22P02' && /surrogate/.test(detail ?? '');

/** `bigint`, `count` and `sum` come as text; in code they are numbers, and one that would lose digits is an error. */
function parseInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) && /^-?\d+$/.test(text)) throw databaseErrors.INTEGER_UNSAFE(text);
  return value;
}

/** pg's parsers, with integers as numbers; for one pool, since pg's own table is the whole process's. */
export function createPostgresTypes(): CustomTypesConfig {
  const overrides = new TypeOverrides();
  overrides.setTypeParser(int8, parseInteger);
  overrides.setTypeParser(numeric, parseInteger);
  return overrides;
}

/**
 * Failures of the connection become DATABASE_UNAVAILABLE, others stay what they are. From the server: SQLSTATE class 08
 * (connection), 57P0x (shut down by an administrator), 53 (out of resources).
 */
export function asUnavailable(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const lost =
    error instanceof DatabaseError
      ? /^(08|57P0|53)/.test(error.code ?? '')
      : 'syscall' in error || error instanceof AggregateError || connectionTexts.test(error.message);
  return lost ? withCause(databaseErrors.DATABASE_UNAVAILABLE(error.message || error.name), error) : error;
}

/** pg gives these neither a code nor a system call. */
const connectionTexts = /^(Connection terminated|Client has encountered a connection error|timeout exceeded when)/;

/** The pool behind Kysely's interface: each query takes a client of its own, which comes back whatever became of it. */
export function createPostgresPoolConnection(pool: Pool, types: CustomTypesConfig): DatabaseConnection {
  return createPostgresConnection(async (query) => {
    if (pool.ending) throw databaseErrors.DATABASE_CLOSED();
    const client = await pool.connect();
    try {
      const flights = createFlights(types);
      flights.depart(client);
      return await flights.send(query);
    } finally {
      client.release();
    }
  });
}

/** What sends queries behind Kysely's interface. */
export function createPostgresConnection(send: SendQuery): DatabaseConnection {
  return {
    async executeQuery<R>({ sql, parameters, name }: NamedQuery): Promise<QueryResult<R>> {
      const config = { text: sql, values: [...parameters], ...(name !== undefined && { name }) };
      const { rows, rowCount, command } = await send(config).catch((error: unknown) => {
        if (error instanceof DatabaseError && error.code === readOnlyTransaction) throw databaseErrors.READER_WRITES();
        if (error instanceof DatabaseError && refusedTexts.has(error.code ?? ''))
          throw withCause(databaseErrors.TEXT_HAS_NUL(), error);
        if (error instanceof DatabaseError && isHalfPair(error))
          throw withCause(databaseErrors.TEXT_HAS_HALF_PAIR(), error);
        throw asUnavailable(error);
      });
      return command === 'SELECT' || rowCount === undefined
        ? { rows: rows as R[] }
        : { rows: rows as R[], numAffectedRows: BigInt(rowCount) };
    },
    streamQuery() {
      throw new Error('rows are not streamed from PostgreSQL; page with a keyset instead');
    },
  };
}
