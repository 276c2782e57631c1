import type { Clock } from '#platform/clock';
import type { Database, WriteContext } from '#platform/database';
import type { Logger } from '#platform/log';
import type { TriggerService } from './trigger-service.ts';
import { findNextFireMs, listDue } from './trigger-store.ts';

/** Fires crons when their stored time has come. Times that passed while the server was away fire once, the last. */
export interface CronLoop {
  /** A trigger was declared: its time may be the next. */
  wake(): void;
  /** Fires whatever is due now. */
  runDue(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const context: WriteContext = { actor: 'system:automation.cron' };
const dueAtOnce = 100;
/** Also finds a clock that was set, and timers that cannot be set for more than 24 days. */
const longestWaitMs = 60_000;
const waitAfterFailureMs = 5_000;

export function createCronLoop(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly triggers: Pick<TriggerService, 'fireCron'>;
}): CronLoop {
  const { database, clock, logger, triggers } = deps;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let started = false;

  async function runDue(): Promise<void> {
    for (const due of await listDue(database.read, clock.nowMs(), dueAtOnce))
      await database.write(context, (unit) => triggers.fireCron(unit, due));
  }

  async function round(): Promise<void> {
    let waitMs = longestWaitMs;
    try {
      await runDue();
      const nextMs = await findNextFireMs(database.read);
      if (nextMs !== undefined) waitMs = Math.min(waitMs, Math.max(0, nextMs - clock.nowMs()));
    } catch (error) {
      logger.error({ err: error }, 'crons cannot be fired; trying again');
      waitMs = waitAfterFailureMs;
    }
    clearTimeout(timer);
    if (started) timer = setTimeout(wake, waitMs).unref();
  }

  function wake(): void {
    if (!started) return;
    again = true;
    running ??= (async () => {
      while (again && started) {
        again = false;
        await round();
      }
    })().finally(() => {
      running = undefined;
    });
  }

  return {
    wake,
    runDue,
    start() {
      started = true;
      wake();
    },
    async stop() {
      started = false;
      clearTimeout(timer);
      await running;
    },
  };
}
