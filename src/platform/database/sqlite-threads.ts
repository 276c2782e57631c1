import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { databaseErrors } from './database-errors.ts';
import { readsJson } from './sqlite-connection.ts';
import { refuseNul } from './storable-text.ts';

/** Each takes some megabytes once it was needed. */
const mostThreads = Math.max(1, Math.min(4, availableParallelism()));

/**
 * SQLite reads in the thread that asks. The thread's program is a text, because it must run both from source in tests and
 * from dist. A query that fails here is asked again where its error can be told as it is.
 */
const program = `
  const { workerData, parentPort } = require('node:worker_threads');
  const Sqlite = require(workerData.module);
  const database = new Sqlite(workerData.file, { readonly: true, fileMustExist: true, timeout: workerData.timeoutMs });
  database.pragma('mmap_size = ' + workerData.mappedBytes);
  const statements = new Map();
  function prepare(text) {
    if (statements.size === 1000) statements.clear();
    if (!statements.has(text)) statements.set(text, database.prepare(text));
    return statements.get(text);
  }
  const isHuge = (value) => typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER;
  const isUnsafe = (value) => typeof value === 'bigint' && !Number.isSafeInteger(Number(value));
  const some = (rows, is) => rows.some((row) => Object.values(row).some(is));
  // a number that large may be a sound double, or an integer that has lost digits
  function losesDigits(statement, parameters) {
    const exact = statement.safeIntegers(true).all(parameters);
    statement.safeIntegers(false);
    return some(exact, isUnsafe);
  }
  parentPort.on('message', ({ id, sql, parameters }) => {
    try {
      const statement = prepare(sql);
      const rows = statement.all(parameters);
      if (some(rows, isHuge) && losesDigits(statement, parameters)) throw new Error('told by the other reader');
      // bytes change hands: a copy of a megabyte costs more than all the rest of its way
      const bytes = rows.flatMap((row) => Object.values(row).filter(Buffer.isBuffer));
      parentPort.postMessage({ id, rows }, bytes.map(({ buffer }) => buffer));
    } catch {
      parentPort.postMessage({ id });
    }
  });
`;

/** How often readers pause, for the time of a checkpoint. */
const pauseEveryMs = 1000;

interface ThreadOptions {
  readonly file: string;
  readonly timeoutMs: number;
  readonly mappedBytes: number;
}

/** Rows, or undefined when the query failed or the thread ended. */
type Rows = readonly Record<string, unknown>[] | undefined;

interface Thread {
  readonly waiting: number;
  ask(sql: string, parameters: readonly unknown[]): Promise<Rows>;
  stop(): Promise<unknown>;
}

export interface SqliteThreads {
  readonly connection: DatabaseConnection;
  close(): Promise<void>;
}

/**
 * Read-only connections in threads of their own, behind Kysely's interface: for reads that take milliseconds, which would
 * hold up whatever else the process does. A thread starts when the others are busy, and keeps no process alive.
 */
export function createSqliteThreads(
  options: ThreadOptions,
  fallback: DatabaseConnection,
  checkpoint: () => void,
): SqliteThreads {
  let threads: readonly Thread[] = [];
  let closed = false;
  const isClosed = () => closed;
  const reading = new Set<Promise<unknown>>();
  let nextPauseMs = performance.now() + pauseEveryMs;
  let pause: Promise<unknown> = Promise.resolve();

  /** From time to time all wait until none reads: as long as one does, the log of the writer cannot begin anew, and grows. */
  function pauseIfDue(): Promise<unknown> {
    const nowMs = performance.now();
    if (nowMs >= nextPauseMs) {
      nextPauseMs = nowMs + pauseEveryMs;
      pause = Promise.all(reading)
        .then(() => new Promise((resolve) => setImmediate(resolve))) // no unit is under way then
        .then(checkpoint)
        .catch(() => undefined); // closed meanwhile
    }
    return pause;
  }

  function takeThread(): Thread {
    const [idlest] = threads.toSorted((a, b) => a.waiting - b.waiting);
    if (idlest !== undefined && (idlest.waiting === 0 || threads.length === mostThreads)) return idlest;
    const started = startThread(options, () => {
      threads = threads.filter((thread) => thread !== started);
    });
    threads = [...threads, started];
    return started;
  }

  return {
    connection: {
      async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
        if (isClosed()) throw databaseErrors.DATABASE_CLOSED();
        await pauseIfDue();
        refuseNul(query.parameters, readsJson(query.sql));
        const asked = takeThread().ask(query.sql, query.parameters);
        reading.add(asked);
        const rows = await asked.finally(() => reading.delete(asked));
        if (rows !== undefined) return { rows: rows as unknown as R[] };
        if (isClosed()) throw databaseErrors.DATABASE_CLOSED();
        return await fallback.executeQuery<R>(query);
      },
      streamQuery: (...args) => fallback.streamQuery(...args),
    },
    async close() {
      closed = true;
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

function startThread(options: ThreadOptions, onEnd: () => void): Thread {
  const module = createRequire(import.meta.url).resolve('better-sqlite3');
  const worker = new Worker(program, {
    name: 'sqlite-reader',
    eval: true,
    execArgv: [],
    workerData: { ...options, module },
  });
  const waiting = new Map<number, (rows: Rows) => void>();
  let lastId = 0;
  let ended = false;

  function end(): void {
    if (ended) return;
    ended = true;
    onEnd();
    for (const answer of waiting.values()) answer(undefined);
    waiting.clear();
  }
  worker.unref();
  worker.on('message', ({ id, rows }: { readonly id: number; readonly rows?: Rows }) => {
    const answer = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    answer?.(rows);
  });
  worker.on('error', (error) => {
    process.emitWarning(error);
    end();
  });
  worker.on('exit', end);

  return {
    get waiting() {
      return waiting.size;
    },
    ask(sql, parameters) {
      if (ended) return Promise.resolve(undefined);
      lastId += 1;
      const id = lastId;
      return new Promise((resolve) => {
        if (waiting.size === 0) worker.ref();
        waiting.set(id, resolve);
        worker.postMessage({ id, sql, parameters }, []);
      });
    },
    stop: () => worker.terminate(),
  };
}
