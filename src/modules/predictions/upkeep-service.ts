import { advanceTruth, findEndpoint } from './endpoint-store.ts';
import type { PredictionsDeps } from './predictions-deps.ts';
import { replicaLiveMs, settleQuiet } from './progress-service.ts';
import { listQuiet } from './spool-store.ts';
import { deleteExpired, listExpired } from './waiting-store.ts';

/** What time alone brings about in the log, without a record or a truth that comes. */
export interface Upkeep {
  /** Moves the watermarks of endpoints on the wall clock that have gone quiet. */
  settle(): Promise<void>;
  /** Counts the pushed truths that have waited in vain as unmatched. */
  expireTruth(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Longer than `replicaLiveMs`: after a start every replica that still runs has reported before the first look. */
const settleEveryMs = 2 * replicaLiveMs;
const expireEveryMs = 3_600_000;

const context = { actor: 'system:predictions.upkeep' };

export function createUpkeep(deps: Pick<PredictionsDeps, 'database' | 'clock' | 'logger'>): Upkeep {
  const { database, clock, logger } = deps;
  const timers: NodeJS.Timeout[] = [];
  let running: Promise<void> = Promise.resolve();

  async function settle(): Promise<void> {
    if ((await listQuiet(database.read, clock.nowMs() - replicaLiveMs)).length === 0) return;
    await database.write(context, settleQuiet);
  }

  async function expireTruth(): Promise<void> {
    for (const { project, endpoint } of await listExpired(database.read, clock.nowMs()))
      await database.write(context, async (unit) => {
        const found = await findEndpoint(unit, project, endpoint);
        // The version moves as for a join: one that has just found such a truth begins again without it.
        if (found !== undefined) await advanceTruth(unit, found, await deleteExpired(unit, project, endpoint));
      });
  }

  function repeat(what: string, work: () => Promise<void>, everyMs: number): void {
    const run = (): void => {
      running = running.then(work).catch((error: unknown) => {
        logger.error({ err: error }, `${what} failed; it is tried again`);
      });
    };
    timers.push(setInterval(run, everyMs).unref());
  }

  return {
    settle,
    expireTruth,
    start() {
      repeat('settling the prediction log', settle, settleEveryMs);
      repeat('the look for truth that waited in vain', expireTruth, expireEveryMs);
    },
    async stop() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      await running;
    },
  };
}
