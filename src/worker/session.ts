import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, type DuckDBDataChunk, type DuckDBValue, StatementType } from '@duckdb/node-api';
import { temporaryPath, type WrittenFile, writeAtomically } from './atomic-file.ts';
import { type FailureContext, toAppError } from './duckdb-error.ts';
import { quoteName, quoteText, quoteTexts } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

/** What a task may touch on disk; DuckDB refuses everything else. */
export interface Access {
  readonly read: readonly string[];
  readonly write?: readonly string[];
  /** Folders in which files of names not known yet are written. */
  readonly folders?: readonly string[];
  /** Processors that its statements may take; default: those of the process's settings. */
  readonly threads?: number;
}

export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

export type Row = Readonly<Record<string, DuckDBValue>>;

export type WrittenParquet = WrittenFile & { readonly rows: number };

export interface WriteOptions {
  readonly failure?: FailureContext;
  /** Looks at what was read before the file gets its name; when it throws, there is no file. */
  readonly verify?: () => Promise<void>;
}

/**
 * One in-memory database for one task: user SQL of one task never sees the tables of another, its memory and spill files
 * go when it ends. It is closed to the file system but for `access`, to the network and to extensions, and its
 * configuration is locked, before anything runs in it.
 */
export interface Session {
  run(sql: string, context?: FailureContext): Promise<number>;
  rows(sql: string, context?: FailureContext): Promise<readonly Row[]>;
  /** The one row of a query without groups. */
  row(sql: string, context?: FailureContext): Promise<Row>;
  /** Chunks of 2,048 rows at most, as they come. */
  chunks(sql: string, context?: FailureContext): AsyncGenerator<DuckDBDataChunk>;
  /** Columns of a table, view or subquery, in order. */
  columns(relation: string, context?: FailureContext): Promise<readonly TableColumn[]>;
  /** A view of one SELECT that a user wrote. SQL_INVALID, SQL_FORBIDDEN. */
  defineView(name: string, sql: string, what: string): Promise<void>;
  /** Writes a SELECT as zstd Parquet; `path` was named in `access.write` or lies in one of `access.folders`. */
  writeParquet(path: string, select: string, options?: WriteOptions): Promise<WrittenParquet>;
  appenderOf: DuckDBConnection['createAppender'];
}

const interruptEveryMs = 20;
// Level 1 of zstd writes in two thirds of the time of the default, 3, and is a few percent larger. A dictionary of more values
// than this saves no bytes but costs a fifth of the time: the default tries up to a fifth of the rows.
const parquetOptions =
  'format parquet, compression zstd, compression_level 1, dictionary_size_limit 10000, use_tmp_file false';

/** Opens a session, hands it to `work`, closes it in any case. Aborting the context's signal interrupts what runs. */
export async function withSession<T>(
  context: TaskContext,
  access: Access,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const spill = join(context.spillFolder, randomUUID());
  const temporaries = new Map((access.write ?? []).map((path) => [path, temporaryPath(path)]));
  await mkdir(context.spillFolder, { recursive: true }); // DuckDB makes the last folder only, when it first spills
  const instance = await context.databases.take();
  const connection = await instance.connect();
  // An interrupt that comes between two statements is lost, so it is repeated until the task has noticed.
  let interrupting: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    connection.interrupt();
    interrupting ??= setInterval(() => connection.interrupt(), interruptEveryMs);
  };
  try {
    await connection.run(`set memory_limit = '${context.memoryMb()}MB'`);
    await connection.run(`set temp_directory = ${quoteText(spill)}`);
    if (access.threads !== undefined) await connection.run(`set threads = ${access.threads}`);
    await lockDown(connection, [...access.read, ...temporaries.keys(), ...temporaries.values()], access.folders ?? []);
    context.signal.addEventListener('abort', interrupt);
    return await work(createSession(connection, context, temporaries));
  } catch (error) {
    context.signal.throwIfAborted();
    throw toAppError(error);
  } finally {
    context.signal.removeEventListener('abort', interrupt);
    clearInterval(interrupting);
    connection.closeSync();
    instance.closeSync();
    await rm(spill, { recursive: true, force: true });
  }
}

async function lockDown(
  connection: DuckDBConnection,
  paths: readonly string[],
  folders: readonly string[],
): Promise<void> {
  for (const statement of [
    `set global TimeZone = 'UTC'`,
    `set allowed_paths = ${quoteTexts(paths)}`,
    `set allowed_directories = ${quoteTexts(folders)}`,
    'set enable_external_access = false',
    'set lock_configuration = true',
  ])
    await connection.run(statement);
}

function createSession(
  connection: DuckDBConnection,
  context: TaskContext,
  temporaries: ReadonlyMap<string, string>,
): Session {
  const guard = async <T>(work: () => Promise<T>, failure: FailureContext | undefined): Promise<T> => {
    context.signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      context.signal.throwIfAborted();
      throw toAppError(error, failure);
    }
  };

  const session: Session = {
    run: (sql, failure) => guard(async () => (await connection.run(sql)).rowsChanged, failure),
    rows: (sql, failure) => guard(async () => (await connection.runAndReadAll(sql)).getRowObjects(), failure),
    async row(sql, failure) {
      const [row] = await session.rows(sql, failure);
      if (row === undefined) throw new Error(`no row came back from: ${sql}`);
      return row;
    },
    async *chunks(sql, failure) {
      const result = await guard(() => connection.stream(sql), failure);
      const fetchNext = () => {
        const next = guard(() => result.fetchChunk(), failure);
        next.catch(() => undefined); // told where it is awaited
        return next;
      };
      // The next chunk comes while the one before it is worked on: the way to DuckDB's thread and back takes as long as a query.
      let ahead = fetchNext();
      try {
        for (;;) {
          const chunk = await ahead;
          if (chunk === null || chunk.rowCount === 0) return;
          ahead = fetchNext();
          yield chunk;
        }
      } finally {
        await ahead.catch(() => undefined); // the connection must not close under it
      }
    },
    async columns(relation, failure) {
      const rows = await session.rows(`describe select * from ${relation}`, failure);
      return rows.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }));
    },
    async defineView(name, sql, what) {
      const failure = { kind: 'sql', what } as const;
      await guard(() => assertOneSelect(connection, sql, what), failure);
      await session.run(`create view ${quoteName(name)} as ${sql}`, failure);
    },
    async writeParquet(path, select, { failure, verify } = {}) {
      const temporary = temporaries.get(path) ?? temporaryPath(path);
      const { file, result } = await writeAtomically(path, temporary, async () => {
        const rows = await session.run(`copy (${select}) to ${quoteText(temporary)} (${parquetOptions})`, failure);
        await verify?.();
        return rows;
      });
      return { ...file, rows: result };
    },
    appenderOf: (table) => connection.createAppender(table),
  };
  return session;
}

async function assertOneSelect(connection: DuckDBConnection, sql: string, what: string): Promise<void> {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1)
    throw workerErrors.SQL_INVALID(what, `it must be one SELECT, not ${statements.count} statements`);
  const { statementType } = await statements.prepare(0);
  if (statementType !== StatementType.SELECT) throw workerErrors.SQL_INVALID(what, 'it must be a SELECT');
}
