import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '#platform/clock';
import type { Database, WriteContext } from '#platform/database';
import { createDueLoop, type DueLoop } from '#platform/due-loop';
import type { Logger } from '#platform/log';
import { listProjectsWithDeleted } from './purge-rows-store.ts';
import type { PurgeService } from './purge-service.ts';
import type { PurgeSteps } from './purge-steps.ts';
import { findOpenPurge, listProjectsBeingPurged } from './purge-store.ts';

const longestPauseMs = 100;

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

  async function runDue(): Promise<void> {
    await askForOld();
    for (let purge = await findOpenPurge(database.read); purge !== undefined && !stopping; ) {
      const { project, purgeId } = purge;
      const began = performance.now();
      const ended = await database.write(context, (unit) => steps.advance(unit, { project, purgeId }));
      // half of the time is everybody else's
      await pause(Math.min(longestPauseMs, performance.now() - began));
      if (ended) purge = await findOpenPurge(database.read);
    }
  }

  const loop = createDueLoop({
    clock,
    async round() {
      await runDue();
      return undefined;
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
