import type { Clock } from '#platform/clock';
import type { Database, Unit, WriteContext } from '#platform/database';
import type { Logger } from '#platform/log';
import { type DueStep, findNextDeadlineMs, listDueSteps } from './wait-store.ts';

/** Ends steps that have waited as long as they may, by the clock on the wall; also what came due while no server ran. */
export interface StepDeadlines {
  start(): void;
  stop(): Promise<void>;
}

const context: WriteContext = { actor: 'system:pipelines.deadlines' };
const dueAtOnce = 100;
/** Also finds a clock that was set, what another control plane wrote, and what no timer can wait for. */
const longestWaitMs = 60_000;
const waitAfterFailureMs = 5_000;

export function createStepDeadlines(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly expire: (unit: Unit, due: DueStep) => Promise<void>;
}): StepDeadlines {
  const { database, clock, logger, expire } = deps;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let started = false;
  let stopHearing: (() => void) | undefined;

  /** Whether it is ended; one that cannot be must not hold up the others. */
  async function end(due: DueStep): Promise<boolean> {
    try {
      await database.write(context, (unit) => expire(unit, due));
      return true;
    } catch (error) {
      logger.error({ err: error, ...due }, 'a step that waited too long cannot be ended; trying again');
      return false;
    }
  }

  /** @returns how long to wait for the next round */
  async function endDue(): Promise<number> {
    let allEnded = true;
    for (const due of await listDueSteps(database.read, clock.nowMs(), dueAtOnce))
      allEnded = (await end(due)) && allEnded;
    if (!allEnded) return waitAfterFailureMs;
    const nextMs = await findNextDeadlineMs(database.read);
    return nextMs === undefined ? longestWaitMs : Math.min(longestWaitMs, Math.max(0, nextMs - clock.nowMs()));
  }

  async function round(): Promise<void> {
    const waitMs = await endDue().catch((error: unknown) => {
      logger.error({ err: error }, 'steps that waited too long cannot be looked up; trying again');
      return waitAfterFailureMs;
    });
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
    start() {
      started = true;
      stopHearing = database.onEvents((events) => {
        if (events.some(({ type }) => type === 'step.waiting')) wake();
      });
      wake();
    },
    async stop() {
      started = false;
      stopHearing?.();
      clearTimeout(timer);
      await running;
    },
  };
}
