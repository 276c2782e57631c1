import { type Kysely, PostgresDialect } from 'kysely';
import { type ClientBase, Pool } from 'pg';
import { withCause } from '../errors.ts';
import { appendToPostgres } from '../events/append-event.ts';
import { createCommitListeners, runHint } from './commit-listeners.ts';
import { databaseErrors } from './database-errors.ts';
import { createKyselyFactory } from './kysely-handle.ts';
import { migratePostgres } from './migrate-postgres.ts';
import type { DatabaseOptions } from './open-database.ts';
import {
  asUnavailable,
  createPostgresConnection,
  createPostgresPoolConnection,
  createPostgresTypes,
} from './postgres-connection.ts';
import { begin, commit, createConvoys, type Passage, type Transact } from './postgres-convoy.ts';
import { createFlights, type Flights } from './postgres-flight.ts';
import { acquirePostgresLock } from './postgres-lock.ts';
import type { Database, Reader, Unit, WriteContext } from './types.ts';
import { doWork, type OpenUnit, openUnit, type UnitParts } from './unit-handle.ts';

/** Connections for units and for reads, apart so that reads never queue behind writes. */
const writers = 10;
const readers = 10;
/** A unit is run again this often when it conflicts with another, waiting longer each time. */
const maxAttempts = 20;
const firstWaitMs = 4;
const longestWaitMs = 500;

/** serialization_failure and deadlock_detected: the server asks for the transaction to be run again. */
const conflicts = new Set(['40001', '40P01']);
/**
 * unique_violation, which the server also answers when the other row came from a transaction that ran beside this one and
 * never looked for it. Run again, the unit sees that row. A row that was there all along breaks the constraint each time,
 * so this ends soon.
 */
const uniqueViolation = '23505';
/** Failures that may pass when the unit is run again. */
const passing: ReadonlySet<string> = new Set([...conflicts, uniqueViolation]);
const maxUniqueAttempts = 3;

/**
 * A serializable transaction that reads a table from end to end, as the planner likes to when it is small, conflicts with
 * every other that writes to it; one that reads by an index conflicts over the pages that it saw alone.
 */
const readByIndex = '-c enable_seqscan=off';
/**
 * A server that can compiles what its planner takes for costly: before PostgreSQL 18 whatever must read a table from end to
 * end where that is off, and searches by estimate. It takes longer than any query here.
 */
const neverCompile = '-c jit=off';

/** How a unit is run. */
interface Manner {
  /** It does not wait for what it assumes. */
  readonly insists: boolean;
  /** It may share a transaction. */
  readonly joins: boolean;
}

/** What a unit comes to: one that insisted on what does not hold, or failed in company, is to be run in another manner. */
type Outcome<T> = { readonly value: T } | { readonly again: Partial<Manner> };

/** PostgreSQL: a unit is one serializable transaction. One control plane at a time, for now. */
export async function openPostgresDatabase(options: DatabaseOptions): Promise<Database> {
  const types = createPostgresTypes();
  const base = { connectionString: options.url, types, application_name: 'tidemill' };
  const durability = options.durability === 'off' ? '-c synchronous_commit=off' : '';
  const lock = await acquirePostgresLock(base).catch((error: unknown) => {
    throw asUnavailable(error);
  });
  const writePool = new Pool({
    ...base,
    max: writers,
    options: `${readByIndex} ${neverCompile} ${durability}`,
  });
  const readPool = new Pool({ ...base, max: readers, options: `-c default_transaction_read_only=on ${neverCompile}` });
  // An idle connection that breaks is replaced at the next use, which reports its own error when the server is gone.
  // One that breaks inside a unit fails its queries; the event besides would end the process.
  for (const pool of [writePool, readPool]) {
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
  }
  const inFlight = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  try {
    await migratePostgres(writePool, { folder: options.migrations, nowMs: options.clock.nowMs() });
  } catch (error) {
    await Promise.all([writePool.end(), readPool.end(), lock.release()]);
    throw error;
  }

  const kysely = createKyselyFactory(new PostgresDialect({ pool: writePool }));
  const parts: UnitParts = {
    dialect: 'postgres',
    clock: options.clock,
    ids: options.ids,
    kysely,
    appendEvent: appendToPostgres,
  };
  const listeners = createCommitListeners();
  const readConnection = createPostgresPoolConnection(readPool, types);
  const reads = kysely((use) => use(readConnection));
  const read: Reader = { dialect: 'postgres', query: <Tables>() => reads as unknown as Kysely<Tables> };

  const transact: Transact = async (work) => {
    const client = await writePool.connect().catch((error: unknown) => {
      throw asUnavailable(error);
    });
    let broken: Error | undefined;
    try {
      return await work(client);
    } catch (error) {
      await client.query('rollback').catch((failure: unknown) => {
        broken = asError(failure);
      });
      throw error;
    } finally {
      client.release(broken);
    }
  };
  const convoys = createConvoys(transact, types);

  async function attempt<T>(
    context: WriteContext,
    work: (unit: Unit) => Promise<T>,
    { insists, joins }: Manner,
  ): Promise<Outcome<T>> {
    const flights = createFlights(types);
    const opened = openUnit(parts, context, createPostgresConnection(flights.send), { insists });
    let passage: Passage | undefined;
    let outcome: { readonly value: T } | undefined;
    try {
      const working = doWork(opened.unit, work);
      working.catch(() => undefined); // it may fail before it is waited for
      if (joins) outcome = await Promise.race([working.then((value) => ({ value })), nextTurn()]);
      if (outcome === undefined)
        outcome = { value: await transact((client) => finish(working, client, flights, opened)) };
      else {
        await opened.nothingFailed();
        opened.end();
        passage = convoys.join(flights.handOver());
        await allWritten(passage.ended, opened.writesWithCommit);
      }
    } catch (error) {
      opened.end();
      flights.ground(asError(error));
      if (passage?.failedInCompany() === true) return { again: { joins: false } };
      if (opened.assumedWrongly()) return { again: { insists: false } };
      throw asUnavailable(error);
    }
    if (opened.events.length > 0) listeners.publish(opened.events);
    for (const hint of opened.hints) runHint(hint);
    return outcome;
  }

  async function attemptUntilDone<T>(context: WriteContext, work: (unit: Unit) => Promise<T>): Promise<T> {
    let manner: Manner = { insists: true, joins: true };
    for (let count = 1; ; count++) {
      lock.check();
      try {
        const outcome = await attempt(context, work, manner);
        if ('value' in outcome) return outcome.value;
        manner = { ...manner, ...outcome.again };
      } catch (error) {
        const state = findState(error, passing);
        if (state === undefined || (state === uniqueViolation && count >= maxUniqueAttempts)) throw error;
        if (count === maxAttempts) throw withCause(databaseErrors.DATABASE_CONFLICT(count), error);
        // Full jitter: those that conflicted must not meet again.
        const wait = Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** count);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  async function closeAll(): Promise<void> {
    await Promise.all(inFlight);
    await Promise.all([writePool.end(), readPool.end()]);
    await lock.release();
  }

  return {
    dialect: 'postgres',
    read,
    longRead: read, // the server reads
    write<T>(context: WriteContext, work: (unit: Unit) => Promise<T>): Promise<T> {
      if (closed !== undefined) return Promise.reject(databaseErrors.DATABASE_CLOSED());
      const answer = attemptUntilDone(context, work);
      const settled: Promise<unknown> = answer
        .catch(() => undefined)
        .finally(() => {
          inFlight.delete(settled);
        });
      inFlight.add(settled);
      return answer;
    },
    onEvents: (listener) => listeners.add(listener),
    backupTo: () => Promise.reject(databaseErrors.BACKUP_UNSUPPORTED()),
    close() {
      closed ??= closeAll();
      return closed;
    },
  };
}

/** Goes on with work that has begun, in a transaction of its own, and commits it. */
async function finish<T>(working: Promise<T>, client: ClientBase, flights: Flights, opened: OpenUnit): Promise<T> {
  flights.depart(client, begin);
  try {
    const value = await working;
    await opened.nothingFailed();
    opened.end();
    await allWritten(flights.send(commit), opened.writesWithCommit);
    return value;
  } catch (error) {
    opened.end();
    flights.ground(asError(error));
    throw error;
  }
}

/** The end of a transaction; a write that failed is told before the commit that was skipped because of it. */
async function allWritten(committed: Promise<unknown>, writes: readonly Promise<unknown>[]): Promise<void> {
  committed.catch(() => undefined);
  const failed = (await Promise.allSettled(writes)).find(({ status }) => status === 'rejected');
  if (failed === undefined) return void (await committed);
  const { reason } = failed as PromiseRejectedResult;
  await committed.then(
    () => {
      throw new Error('the unit is committed, but not all of a write that was to go with it', { cause: reason });
    },
    () => {
      throw reason;
    },
  );
}

/** The first SQLSTATE among these, also when a store has put its own error around it. */
function findState(error: unknown, states: ReadonlySet<string>): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string' && states.has(at.code)) return at.code;
  return undefined;
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
const nextTurn = () => new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
