import type { Clock } from '#platform/clock';
import type { Database, Unit, WriteContext } from '#platform/database';
import { createDueLoop, waitAfterFailureMs } from '#platform/due-loop';
import type { Logger } from '#platform/log';
import { type DueStep, findNextDeadlineMs, listDueSteps } from './wait-store.ts';

/** Ends steps that have waited as long as they may, by the clock on the wall; also what came due while no server ran. */
export interface StepDeadlines {
  start(): void;
  stop(): Promise<void>;
}

const context: WriteContext = { actor: 'system:pipelines.deadlines' };
const dueAtOnce = 100;

export function createStepDeadlines(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly expire: (unit: Unit, due: DueStep) => Promise<void>;
}): StepDeadlines {
  const { database, clock, logger, expire } = deps;
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

  const loop = createDueLoop({
    clock,
    async round() {
      let allEnded = true;
      for (const due of await listDueSteps(database.read, clock.nowMs(), dueAtOnce))
        allEnded = (await end(due)) && allEnded;
      return allEnded ? await findNextDeadlineMs(database.read) : clock.nowMs() + waitAfterFailureMs;
    },
    failed: (error) => logger.error({ err: error }, 'steps that waited too long cannot be looked up; trying again'),
  });

  return {
    start() {
      stopHearing = database.onEvents((events) => {
        if (events.some(({ type }) => type === 'step.waiting')) loop.wake();
      });
      loop.start();
    },
    async stop() {
      stopHearing?.();
      await loop.stop();
    },
  };
}
