import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { databaseErrors } from './database-errors.ts';
import { hasHugeNumber, readsJson } from './sqlite-connection.ts';
import { refuseNul } from './storable-text.ts';

/** One core is left to the thread that answers requests. */
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
  parentPort.on('message', ({ id, sql, parameters }) => {
    try {
      const rows = prepare(sql).all(parameters);
      // bytes change hands: a copy of a megabyte costs more than all the rest of its way
      const bytes = rows.flatMap((row) => Object.values(row).filter(Buffer.isBuffer));
      parentPort.postMessage({ id, rows }, bytes.map(({ buffer }) => buffer));
    } catch {
      parentPort.postMessage({ id });
    }
  });
`;

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
export function createSqliteThreads(options: ThreadOptions, fallback: DatabaseConnection): SqliteThreads {
  let threads: readonly Thread[] = [];
  let closed = false;

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
        if (closed) throw databaseErrors.DATABASE_CLOSED();
        refuseNul(query.parameters, readsJson(query.sql));
        const rows = await takeThread().ask(query.sql, query.parameters);
        if (rows === undefined || rows.some(hasHugeNumber)) return await fallback.executeQuery<R>(query);
        return { rows: rows as unknown as R[] };
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
  worker.on('error', end);
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
        worker.postMessage({ id, sql, parameters });
      });
    },
    stop: () => worker.terminate(),
  };
}
