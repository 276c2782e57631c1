import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { type Kysely, SqliteDialect } from 'kysely';
import { withCause } from '../errors.ts';
import { appendToSqlite } from '../events/append-event.ts';
import { acquireLockFile } from '../lock-file.ts';
import { createCommitListeners } from './commit-listeners.ts';
import { databaseErrors } from './database-errors.ts';
import { createKyselyFactory } from './kysely-handle.ts';
import { migrateSqlite } from './migrate-sqlite.ts';
import type { DatabaseOptions } from './open-database.ts';
import { backUpSqlite } from './sqlite-backup.ts';
import { createSqliteConnection } from './sqlite-connection.ts';
import { createSqliteThreads } from './sqlite-threads.ts';
import { createSqliteWriter } from './sqlite-writer.ts';
import type { Database, Reader } from './types.ts';

/** How long a statement waits for a lock that another process (a backup, a person's sqlite3) holds. */
const busyTimeoutMs = 5000;

/**
 * How much of the file is read where the operating system keeps it. The reader's own cache of pages would be empty after
 * each commit of the writer, and every page of a search be read and copied anew.
 */
const mappedBytes = 2 ** 30;

/** What of the log is kept between two uses of it. */
const mostLogBytes = 64 * 2 ** 20;

/**
 * SQLite in WAL mode: one connection writes, behind the writer queue; another, read-only, reads the last commit and
 * never waits for the writer; threads with a connection each read what takes long. The file belongs to one process at a time, which a lock file beside it names.
 */
export async function openSqliteDatabase(options: DatabaseOptions): Promise<Database> {
  const file = resolve(options.url);
  mkdirSync(dirname(file), { recursive: true });
  const lock = acquireLockFile(`${file}.lock`, (holder) => databaseErrors.DATABASE_LOCKED(file, holder));
  const opened: Sqlite.Database[] = [];
  let closing: Promise<void> | undefined;
  function letGo(): void {
    for (const one of opened.toReversed()) one.close();
    lock.release();
  }
  try {
    const raw = new Sqlite(file, { timeout: busyTimeoutMs });
    opened.push(raw);
    raw.pragma('journal_mode = wal');
    raw.pragma(`synchronous = ${options.durability === 'off' ? 'off' : 'full'}`);
    raw.pragma('foreign_keys = on');
    raw.pragma('temp_store = memory');
    raw.pragma(`journal_size_limit = ${mostLogBytes}`);
    migrateSqlite(raw, { file, folder: options.migrations, nowMs: options.clock.nowMs() });

    const rawReader = new Sqlite(file, { timeout: busyTimeoutMs, readonly: true, fileMustExist: true });
    opened.push(rawReader);
    rawReader.pragma(`mmap_size = ${mappedBytes}`);

    const kysely = createKyselyFactory(new SqliteDialect({ database: raw }));
    const listeners = createCommitListeners();
    const writer = createSqliteWriter(
      createSqliteConnection(raw),
      { dialect: 'sqlite', clock: options.clock, ids: options.ids, kysely, appendEvent: appendToSqlite },
      listeners.publish,
    );
    const readConnection = createSqliteConnection(rawReader);
    const reads = kysely((use) => use(readConnection));
    const read: Reader = { dialect: 'sqlite', query: <Tables>() => reads as unknown as Kysely<Tables> };
    const threads = createSqliteThreads({ file, timeoutMs: busyTimeoutMs, mappedBytes }, readConnection, () => {
      if (!raw.inTransaction) raw.pragma('wal_checkpoint(passive)');
    });
    const longReads = kysely((use) => use(threads.connection));
    const longRead: Reader = { dialect: 'sqlite', query: <Tables>() => longReads as unknown as Kysely<Tables> };

    return {
      dialect: 'sqlite',
      read,
      longRead,
      write: (context, work) => writer.write(context, work),
      onEvents: (listener) => listeners.add(listener),
      backupTo: (path) => backUpSqlite(file, path),
      close() {
        closing ??= writer
          .close()
          .then(() => threads.close())
          .then(letGo);
        return closing;
      },
    };
  } catch (error) {
    letGo();
    throw error instanceof Sqlite.SqliteError
      ? withCause(databaseErrors.DATABASE_UNUSABLE(file, error.message), error)
      : error;
  }
}
