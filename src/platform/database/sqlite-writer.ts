import { SqliteError } from 'better-sqlite3';
import type { TidemillEvent } from '#contracts/event-types';
import { type AppError, withCause } from '../errors.ts';
import { runHint } from './commit-listeners.ts';
import { databaseErrors } from './database-errors.ts';
import type { SqliteConnection } from './sqlite-connection.ts';
import type { Unit, WriteContext } from './types.ts';
import { doWork, type OpenUnit, openUnit, type UnitParts } from './unit-handle.ts';

/**
 * The writer queue of one SQLite file.
 *
 *   begin immediate
 *     for each waiting unit:  savepoint -> work -> release, or rollback to
 *   commit                    (the only fsync)
 *   answers, events, hints
 *
 * better-sqlite3 is synchronous, so a unit that awaits only its own handle moves on by microtasks alone and the event
 * loop never turns while it is open. A `setImmediate` that fires inside an open unit therefore proves that the unit
 * waits for something else; it is rolled back at once, because every other writer waits behind it.
 *
 * A batch starts at the end of the event-loop turn in which its first unit was handed in: what arrived together is
 * committed together. It closes after `batchUnits` units or `batchMs`, so that the loop is not held for long.
 */
const batchUnits = 256;
const batchMs = 4;

interface Job {
  readonly context: WriteContext;
  readonly work: (unit: Unit) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Done {
  readonly job: Job;
  readonly opened: OpenUnit;
  readonly value: unknown;
}

export interface SqliteWriter {
  write<T>(context: WriteContext, work: (unit: Unit) => Promise<T>): Promise<T>;
  /** Resolves when every unit handed in so far has been answered; later ones are refused. */
  close(): Promise<void>;
}

export function createSqliteWriter(
  connection: SqliteConnection,
  parts: UnitParts,
  publish: (events: readonly TidemillEvent[]) => void,
): SqliteWriter {
  const { raw } = connection;
  const begin = raw.prepare('begin immediate');
  const commit = raw.prepare('commit');
  const rollback = raw.prepare('rollback');
  const savepoint = raw.prepare('savepoint unit');
  const release = raw.prepare('release unit');
  const rollbackTo = raw.prepare('rollback to unit');

  let queue: Job[] = [];
  let scheduled = false;
  let closed = false;
  let whenIdle: (() => void) | undefined;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => void runTurn());
  }

  async function runTurn(): Promise<void> {
    await runBatch();
    scheduled = false;
    if (queue.length > 0) schedule();
    else whenIdle?.();
  }

  async function runBatch(): Promise<void> {
    const jobs = queue.slice(0, batchUnits);
    let taken = 0;
    const done: Done[] = [];
    try {
      begin.run();
      const endAt = performance.now() + batchMs;
      for (const job of jobs) {
        if (taken > 0 && performance.now() >= endAt) break;
        taken += 1;
        await runUnit(job, done);
        // Some failures (disk full, I/O error) make SQLite roll the whole transaction back by itself.
        if (!raw.inTransaction) throw new Error('SQLite ended the transaction after an error');
      }
      commit.run();
    } catch (error) {
      if (raw.inTransaction) rollback.run();
      queue = queue.slice(Math.max(taken, 1));
      const failed = new Set(done.map(({ job }) => job));
      // `begin` itself failed: nothing ran, and the first job carries the news; the others are tried again.
      if (taken === 0 && jobs[0] !== undefined) failed.add(jobs[0]);
      for (const job of failed) job.reject(asCommitFailure(error));
      return;
    }
    queue = queue.slice(taken);
    const events = done.flatMap(({ opened }) => opened.events);
    for (const { job, value } of done) job.resolve(value);
    if (events.length > 0) publish(events);
    for (const { opened } of done) for (const hint of opened.hints) runHint(hint);
  }

  async function runUnit(job: Job, done: Done[]): Promise<void> {
    savepoint.run();
    const opened = openUnit(parts, job.context, connection);
    let alarm: NodeJS.Immediate | undefined;
    const foreignIo = new Promise<never>((_, reject) => {
      alarm = setImmediate(() => reject(databaseErrors.UNIT_FOREIGN_IO()));
    });
    try {
      const value = await Promise.race([doWork(opened.unit, job.work), foreignIo]);
      await Promise.race([Promise.all(opened.writesWithCommit), foreignIo]);
      opened.end();
      release.run();
      done.push({ job, opened, value });
    } catch (error) {
      opened.end();
      job.reject(isStorageFailure(error) ? asCommitFailure(error) : error);
      if (raw.inTransaction) {
        rollbackTo.run();
        release.run();
      }
    } finally {
      clearImmediate(alarm);
    }
  }

  return {
    write<T>(context: WriteContext, work: (unit: Unit) => Promise<T>): Promise<T> {
      if (closed) return Promise.reject(databaseErrors.DATABASE_CLOSED());
      return new Promise<T>((resolve, reject) => {
        queue.push({ context, work, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      });
    },
    async close() {
      closed = true;
      if (scheduled) await new Promise<void>((resolve) => (whenIdle = resolve));
    },
  };
}

/** Disk full, I/O error, damaged file: nothing that the unit did. */
function isStorageFailure(error: unknown): boolean {
  return error instanceof SqliteError && /^SQLITE_(FULL|IOERR|CORRUPT|CANTOPEN|NOMEM)/.test(error.code);
}

function asCommitFailure(error: unknown): AppError {
  const reason = error instanceof Error ? error.message : String(error);
  return withCause(databaseErrors.DATABASE_COMMIT_FAILED(reason), error);
}
