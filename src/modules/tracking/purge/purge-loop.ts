import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '#platform/clock';
import type { Database, WriteContext } from '#platform/database';
import { createDueLoop, type DueLoop } from '#platform/due-loop';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { listProjectsWithDeleted } from './purge-rows-store.ts';
import type { PurgeService } from './purge-service.ts';
import type { PurgeSteps } from './purge-steps.ts';
import { findNextAttemptMs, findOpenPurge, listProjectsBeingPurged, type Purge, putFailure } from './purge-store.ts';

const longestPauseMs = 100;
/** How long a purge waits after its first failure, and how much longer after each further one. */
const firstWaitMs = 5_000;
const growth = 3;
const longestWaitMs = 3_600_000;

const context: WriteContext = { actor: 'system:tracking.purge' };

/**
 * Goes on with open purges, one unit after another: whoever else wants to write comes in between. With `purgeAfterMs` it also
 * asks for the purge of what was deleted so long ago.
 */
export interface PurgeLoop extends DueLoop {
  /** Everything that there is to do now. */
  runDue(): Promise<void>;
}

export function createPurgeLoop(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error'>;
  readonly steps: Pick<PurgeSteps, 'advance'>;
  readonly service: Pick<PurgeService, 'purgeDeleted'>;
  readonly purgeAfterMs: number | undefined;
}): PurgeLoop {
  const { database, clock, logger, steps, purgeAfterMs } = deps;
  let stopping = false;

  async function askForOld(): Promise<void> {
    if (purgeAfterMs === undefined) return;
    const deletedBeforeMs = clock.nowMs() - purgeAfterMs;
    const projects = await listProjectsWithDeleted(database.read, deletedBeforeMs);
    if (projects.length === 0) return;
    const open = await listProjectsBeingPurged(database.read);
    for (const project of projects)
      if (!open.has(project))
        await database.write(context, (unit) => deps.service.purgeDeleted(unit, { project, deletedBeforeMs }));
  }

  const findDue = () => findOpenPurge(database.read, clock.nowMs());

  /** True unless it has ended. */
  async function advance({ project, purgeId, failure }: Purge): Promise<boolean> {
    return await database.write(context, async (unit) => {
      const ended = await steps.advance(unit, { project, purgeId });
      if (failure !== undefined) await putFailure(unit, purgeId, undefined);
      return !ended;
    });
  }

  /** One that cannot go on holds up no other: it waits, each time for longer, and shows why. */
  async function postpone({ purgeId, target, failure }: Purge, error: unknown): Promise<void> {
    logger.error({ err: error, purge: purgeId, target }, 'a purge cannot go on; it is tried again later');
    const attempts = (failure?.attempts ?? 0) + 1;
    const waitMs = Math.min(longestWaitMs, firstWaitMs * growth ** (attempts - 1));
    const message = isAppError(error) ? error.message : 'it failed; the log of the server has the details';
    await database.write(context, (unit) =>
      putFailure(unit, purgeId, { attempts, message, nextAttemptMs: unit.nowMs + waitMs }),
    );
  }

  async function runDue(): Promise<void> {
    await askForOld();
    for (let purge = await findDue(); purge !== undefined && !stopping; ) {
      const before = purge;
      const began = performance.now();
      const goesOn = await advance(before).catch(async (error: unknown) => {
        await postpone(before, error);
        return false;
      });
      // half of the time is everybody else's
      await pause(Math.min(longestPauseMs, performance.now() - began));
      purge = goesOn ? { ...before, failure: undefined } : await findDue();
    }
  }

  const loop = createDueLoop({
    clock,
    async round() {
      await runDue();
      return await findNextAttemptMs(database.read);
    },
    failed: (error) => logger.error({ err: error }, 'a purge cannot go on; trying again'),
  });
  return {
    ...loop,
    runDue,
    start() {
      stopping = false;
      loop.start();
    },
    async stop() {
      stopping = true;
      await loop.stop();
    },
  };
}
