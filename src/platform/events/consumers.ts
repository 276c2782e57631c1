import type { EventType, TidemillEvent } from '#contracts/event-types';
import type { Clock } from '../clock.ts';
import type { Database, Unit } from '../database/types.ts';
import type { Logger } from '../log.ts';
import { consumerErrors } from './consumer-errors.ts';
import { type ConsumerRunner, follows, startConsumerRunner } from './consumer-runner.ts';
import { listParked, type ParkedEvent, takeConsumer } from './consumer-store.ts';
import type { EventLog } from './event-log.ts';
import { beforeEverything } from './position.ts';

/** Something that follows the log durably: each event of its types, in order, once. */
export interface Consumer {
  /** Its cursor's name: stable for ever. */
  readonly name: string;
  readonly types: readonly EventType[];
  /** Beginnings of the subjects that it follows, `pipeline-step:`; all when left out. Others cost it no write. */
  readonly subjects?: readonly string[];
  /** Where a consumer begins that the database has never seen. Default: at the beginning of the log. */
  readonly from?: 'beginning' | 'now';
  /**
   * The effect inside the database, exactly once: in the unit that moves the cursor. The unit's cause is the event and
   * its actor `system:<name>`.
   */
  handle?(unit: Unit, event: TidemillEvent): Promise<void>;
  /** The effect outside, at least once, before the cursor moves; the event's id is the idempotency key. */
  deliver?(event: TidemillEvent): Promise<void>;
  /**
   * What happens, in place of parking, to an event that cannot be handled: whoever waits for it is told. In the unit
   * that moves the cursor. At once when the error says that the event itself is wrong, else after the last attempt.
   */
  giveUp?(unit: Unit, event: TidemillEvent, error: unknown): Promise<void>;
}

/** How often a failing event is tried before its subject is parked. */
export interface RetryPolicy {
  readonly attempts: number;
  /** The wait after the first failure; it doubles with each. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
}

const defaultRetry: RetryPolicy = { attempts: 6, firstWaitMs: 100, longestWaitMs: 5000 };
/** How often to look for events that were not heard of. */
const pollMs = 5000;
/** Most parked events in one answer. */
const parkedLimit = 1000;

export interface Consumers {
  /** Before `start`. */
  add(consumer: Consumer): void;
  start(): Promise<void>;
  /** Ends after the events that are being handled. */
  stop(): Promise<void>;
  /** Resolves when every consumer has reached the head of the log, parked subjects aside. */
  idle(): Promise<void>;
  /** Tries parked events again, in order; answers how many are now handled. */
  retryParked(consumer?: string): Promise<number>;
  listParked(): Promise<readonly ParkedEvent[]>;
}

export function createConsumers(deps: {
  readonly database: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retry?: RetryPolicy;
}): Consumers {
  const { database, log, logger } = deps;
  const added = new Map<string, Consumer>();
  let runners: readonly ConsumerRunner[] = [];
  let started = false;
  let stopHearing: (() => void) | undefined;
  let poll: NodeJS.Timeout | undefined;
  /** The newest position that this process was told of. */
  let heard = beforeEverything;

  function wakeAll(position: string): void {
    for (const runner of runners) runner.wake(position);
  }

  /** Wakes those whose types came, and nobody else: an event without readers costs one look-up. */
  function createHearing(): (events: readonly TidemillEvent[]) => void {
    const byType = new Map<string, ConsumerRunner[]>();
    for (const runner of runners)
      for (const type of runner.consumer.types) byType.set(type, [...(byType.get(type) ?? []), runner]);
    return (events) => {
      for (const { type, subject, position } of events) {
        if (position > heard) heard = position;
        for (const runner of byType.get(type) ?? []) if (follows(runner.consumer, subject)) runner.wake(position);
      }
    };
  }

  async function pollOnce(): Promise<void> {
    const head = await log.head();
    if (head <= heard) return;
    heard = head;
    wakeAll(head);
  }

  return {
    add(consumer) {
      if (started) throw consumerErrors.CONSUMERS_STARTED(consumer.name);
      if (added.has(consumer.name)) throw consumerErrors.CONSUMER_DUPLICATE(consumer.name);
      added.set(consumer.name, consumer);
    },
    async start() {
      if (started) return;
      started = true;
      const owner = `process ${process.pid}`;
      const head = await log.head();
      const taken = await database.write({ actor: 'system:consumers' }, async (unit) => {
        const all = [];
        for (const consumer of added.values()) {
          const firstPosition = consumer.from === 'now' ? head : beforeEverything;
          all.push({ consumer, taken: await takeConsumer(unit, { name: consumer.name, owner, firstPosition }) });
        }
        return all;
      });
      const retry = deps.retry ?? defaultRetry;
      runners = taken.map((one) => startConsumerRunner({ database, logger, retry }, one.consumer, one.taken));
      stopHearing = database.onEvents(createHearing());
      await pollOnce();
      poll = setInterval(() => {
        pollOnce().catch((error: unknown) => logger.warn({ err: error }, 'cannot look for new events'));
      }, pollMs);
      poll.unref();
    },
    async stop() {
      clearInterval(poll);
      stopHearing?.();
      const ending = runners;
      runners = [];
      await Promise.all(ending.map((runner) => runner.stop()));
    },
    async idle() {
      for (;;) {
        const head = await log.head();
        await Promise.all(runners.map((runner) => runner.caughtUp(head)));
        // Handling may have written more events, which wake others.
        if (runners.every((runner) => runner.isIdle()) && (await log.head()) === head) return;
      }
    },
    async retryParked(name) {
      const chosen = runners.filter((runner) => name === undefined || runner.consumer.name === name);
      if (name !== undefined && chosen.length === 0)
        throw consumerErrors.CONSUMER_UNKNOWN(name, [...added.keys()].join(', '));
      const counts = await Promise.all(chosen.map((runner) => runner.retryParked()));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    listParked: () => listParked(database.read, { limit: parkedLimit }),
  };
}
