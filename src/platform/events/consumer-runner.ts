import type { Database, Unit } from '../database/types.ts';
import { isAppError, kindTable } from '../errors.ts';
import type { Logger } from '../log.ts';
import { consumerErrors } from './consumer-errors.ts';
import { advanceConsumer, insertParked, listParkedSubjects, subjectKey, type TakenConsumer } from './consumer-store.ts';
import type { Consumer, RetryPolicy } from './consumers.ts';
import { type LoggedEvent, selectEvents, selectHead } from './events-table.ts';
import { contextOf, retryParkedEvents } from './retry-parked.ts';

/**
 * Follows the log for one consumer, one event after another.
 *
 *   reading -> handling -> reading ...         while there are events of its types
 *   reading -> sleeping                        when everything up to the wanted position has been scanned
 *   handling -> waiting -> handling            an event failed: back-off, longer each time
 *   handling -> parked, reading                it failed too often: its subject is set aside, the cursor goes on
 *
 * `cursor` is what the database knows; `scanned` is how far this process has looked, past events that are none of this
 * consumer's, so that those cost no write.
 */
const batchSize = 64;
/** How soon to look again for an event that is committed but not settled yet (PostgreSQL). */
const unsettledWaitMs = 4;
const brokenWaitMs = 1000;

export interface ConsumerRunner {
  readonly consumer: Consumer;
  /** There is something to look at up to here. */
  wake(position: string): void;
  /** Resolves when everything up to `position`, and whatever came meanwhile, is handled or parked. */
  caughtUp(position: string): Promise<void>;
  isIdle(): boolean;
  retryParked(): Promise<number>;
  stop(): Promise<void>;
}

/** Whether a consumer wants events of this subject. */
export const follows = ({ subjects }: Consumer, subject: string): boolean =>
  subjects === undefined || subjects.some((beginning) => subject.startsWith(beginning));

export function startConsumerRunner(
  deps: { readonly database: Database; readonly logger: Logger; readonly retry: RetryPolicy },
  consumer: Consumer,
  taken: TakenConsumer,
): ConsumerRunner {
  const { database, logger, retry } = deps;
  const { name } = consumer;
  // One writer keeps units in the order in which they are handed in, so that a batch of events shares a commit. On
  // PostgreSQL they would only conflict with each other.
  const pipelined = database.dialect === 'sqlite' && consumer.deliver === undefined;
  const stopping = new AbortController();
  let cursor = taken.position;
  let scanned = taken.position;
  let wanted = taken.position;
  let parkedSubjects: ReadonlySet<string> = new Set();
  let failed: { readonly position: string; readonly attempts: number } | undefined;
  let sleeping: (() => void) | undefined;
  let ended = false;
  /** The database is closed, or another process follows the log: there is nothing left to save. */
  let lost = false;
  let waiters: { readonly position: string; readonly resolve: () => void; readonly reject: (e: unknown) => void }[] =
    [];
  let retries: { readonly resolve: (count: number) => void; readonly reject: (error: unknown) => void }[] = [];

  async function advance(unit: Unit, from: string, to: string): Promise<void> {
    if (!(await advanceConsumer(unit, { name, fence: taken.fence, from, to })))
      throw consumerErrors.CONSUMER_OVERTAKEN(name);
  }

  /** One event, in a unit that moves the cursor first: a unit behind a failed one finds it elsewhere and rolls back. */
  async function handle(logged: LoggedEvent, from: string): Promise<void> {
    const { event } = logged;
    const aside = parkedSubjects.has(subjectKey(event));
    // No `await` without a delivery: the units of a batch must be handed in in order.
    if (consumer.deliver !== undefined && !aside) await consumer.deliver(event);
    await database.write(contextOf(consumer, logged), async (unit) => {
      await advance(unit, from, event.position);
      if (aside) await setAside(unit, logged, 'an earlier event of this subject is parked', 0);
      else await consumer.handle?.(unit, event);
    });
  }

  async function setAside(unit: Unit, { event }: LoggedEvent, error: string, attempts: number): Promise<void> {
    const { position, id: eventId, project, subject, type } = event;
    const parkedAtMs = unit.nowMs;
    await insertParked(unit, {
      consumer: name,
      position,
      eventId,
      project,
      subject,
      type,
      error,
      attempts,
      parkedAtMs,
    });
  }

  async function park(logged: LoggedEvent, error: string, attempts: number): Promise<void> {
    const { event } = logged;
    await database.write(contextOf(consumer, logged), async (unit) => {
      await advance(unit, cursor, event.position);
      await setAside(unit, logged, error, attempts);
      // A chain of its own: of all events, the one that says that a chain became too long must not be too deep itself.
      await unit.becauseOf({ cause: event.id }).emit({
        type: 'consumer.parked',
        project: event.project,
        subject: `consumer:${name}`,
        data: { consumer: name, event: event.id, eventSubject: event.subject, error },
      });
    });
    parkedSubjects = new Set([...parkedSubjects, subjectKey(event)]);
    cursor = event.position;
    scanned = cursor;
    logger.error({ consumer: name, event: event.id, type: event.type, subject: event.subject, error }, 'event parked');
  }

  /** False when that failed too. */
  async function giveUp(logged: LoggedEvent, reason: unknown): Promise<boolean> {
    const { event } = logged;
    try {
      await database.write(contextOf(consumer, logged), async (unit) => {
        await advance(unit, cursor, event.position);
        await consumer.giveUp?.(unit, event, reason);
      });
    } catch (error) {
      logger.warn({ consumer: name, event: event.id, type: event.type, err: error }, 'giving up on an event failed');
      return false;
    }
    logger.error({ consumer: name, event: event.id, type: event.type, err: reason }, 'event given up');
    cursor = event.position;
    scanned = cursor;
    failed = undefined;
    return true;
  }

  async function handleBatch(batch: readonly LoggedEvent[]): Promise<void> {
    const tries: Promise<void>[] = [];
    let from = cursor;
    for (const logged of batch) {
      tries.push(handle(logged, from));
      from = logged.event.position;
    }
    const outcomes = await Promise.allSettled(tries);
    for (const [index, outcome] of outcomes.entries()) {
      const logged = batch[index];
      if (logged === undefined) return;
      if (outcome.status === 'rejected') return await onFailure(logged, outcome.reason);
      cursor = logged.event.position;
      scanned = cursor;
    }
  }

  async function onFailure(logged: LoggedEvent, reason: unknown): Promise<void> {
    const { event } = logged;
    if (stopping.signal.aborted) return;
    if (isAppError(reason, 'CONSUMER_OVERTAKEN') || isAppError(reason, 'DATABASE_CLOSED')) throw reason;
    const attempts = (failed?.position === event.position ? failed.attempts : 0) + 1;
    const error = reason instanceof Error ? reason.message : String(reason);
    logger.warn({ consumer: name, event: event.id, type: event.type, attempts, err: reason }, 'event failed');
    // A database that is away says nothing about the event: such an attempt does not count.
    if (isAppError(reason) && reason.code.startsWith('DATABASE_')) return await pause(retry.longestWaitMs);
    failed = { position: event.position, attempts };
    const last = attempts >= retry.attempts || isAppError(reason, 'CAUSE_CHAIN_TOO_LONG');
    if (consumer.giveUp !== undefined && (last || isFinal(reason))) {
      if (await giveUp(logged, reason)) return;
    }
    if (last) {
      await park(logged, error, attempts);
      failed = undefined;
      return;
    }
    await pause(Math.min(retry.longestWaitMs, retry.firstWaitMs * 2 ** (attempts - 1)));
  }

  async function readOn(): Promise<void> {
    // Asked before the events are read. What this process was told of on SQLite is committed, so there it is enough.
    const head = database.dialect === 'sqlite' ? wanted : await selectHead(database.read);
    const limit = pipelined ? batchSize : Math.min(batchSize, 16);
    const page = await selectEvents(database.read, { types: consumer.types, afterPosition: scanned, limit });
    const batch = page.filter(({ event }) => follows(consumer, event.subject));
    const seen = page.at(-1)?.event.position ?? head;
    if (batch.length === 0) {
      if (seen > scanned) scanned = seen;
      if (page.length === 0 && scanned < wanted) await pause(unsettledWaitMs);
      return;
    }
    if (pipelined) await handleBatch(batch);
    else
      for (const logged of batch) {
        if (stopping.signal.aborted) return;
        await handleBatch([logged]);
        if (cursor !== logged.event.position) return;
      }
    // Behind the last of its own there are only others' events.
    if (cursor === batch.at(-1)?.event.position && seen > scanned) scanned = seen;
  }

  async function serveRetries(): Promise<void> {
    for (const request of retries.splice(0)) {
      await retryParkedEvents(deps, consumer, stopping.signal).then(request.resolve, request.reject);
      parkedSubjects = await listParkedSubjects(database.read, name);
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (stopping.signal.aborted) return resolve();
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', done);
        resolve();
      }
      stopping.signal.addEventListener('abort', done);
    });
  }

  function settleWaiters(): void {
    const reached = waiters.filter(({ position }) => position <= scanned);
    waiters = waiters.filter(({ position }) => position > scanned);
    for (const { resolve } of reached) resolve();
  }

  async function run(): Promise<void> {
    let prepared = false;
    while (!stopping.signal.aborted) {
      try {
        if (!prepared) parkedSubjects = await listParkedSubjects(database.read, name);
        prepared = true;
        await serveRetries();
        if (scanned < wanted) {
          await readOn();
          continue;
        }
      } catch (error) {
        if (stopping.signal.aborted) break;
        if (isAppError(error, 'DATABASE_CLOSED')) {
          lost = true;
          break;
        }
        if (isAppError(error, 'CONSUMER_OVERTAKEN')) {
          logger.error({ consumer: name, err: error }, 'consumer stopped');
          lost = true;
          break;
        }
        logger.error({ consumer: name, err: error }, 'consumer cannot go on; trying again');
        await pause(brokenWaitMs);
        continue;
      }
      settleWaiters();
      // stopped while it looked around: nobody would wake it any more
      if (retries.length > 0 || scanned < wanted || stopping.signal.aborted) continue;
      await new Promise<void>((resolve) => (sleeping = resolve));
      sleeping = undefined;
    }
    ended = true;
    for (const { reject } of [...waiters, ...retries]) reject(consumerErrors.CONSUMERS_STOPPED());
  }

  const running = run();

  return {
    consumer,
    wake(position) {
      if (position > wanted) wanted = position;
      if (scanned < wanted) sleeping?.();
    },
    caughtUp(position) {
      if (ended) return Promise.reject(consumerErrors.CONSUMERS_STOPPED());
      if (position > wanted) wanted = position;
      return new Promise((resolve, reject) => {
        waiters.push({ position: wanted, resolve, reject });
        sleeping?.();
      });
    },
    isIdle: () => sleeping !== undefined && scanned >= wanted,
    retryParked() {
      if (ended) return Promise.reject(consumerErrors.CONSUMERS_STOPPED());
      return new Promise((resolve, reject) => {
        retries.push({ resolve, reject });
        sleeping?.();
      });
    },
    async stop() {
      stopping.abort();
      sleeping?.();
      await running;
      // Saves the next start from looking again through events of other types.
      if (scanned > cursor && !lost)
        await database.write({ actor: `system:${name}` }, async (unit) => {
          await advanceConsumer(unit, { name, fence: taken.fence, from: cursor, to: scanned });
        });
    },
  };
}

/** What is wrong is the event or what it speaks of, so that it would meet the same error again. */
const isFinal = (reason: unknown): boolean =>
  isAppError(reason) && !kindTable[reason.kind].retryable && reason.kind !== 'conflict' && reason.kind !== 'internal';
