import type { Unit } from '#platform/database';
import { orderBatches } from './metric-batch-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';

/** Waiting points of a run from which on they are put in order: bounds what a reader of a history looks through. */
const mostWaiting = 5000;
/** Runs that are remembered; of one that is forgotten, or was begun before a restart, points wait a little longer. */
const mostRuns = 10_000;

export interface BatchOrdering {
  /** Points of a run wait (metric-batch-store.ts); when they are many, they are put in order after the commit. */
  handedIn(unit: Unit, runId: string, points: number): void;
  stop(): Promise<void>;
}

/**
 * Puts the waiting points of runs in order, one run after the other and in units of their own: nobody's log call waits
 * for it, and on PostgreSQL two of them would conflict. It counts what this process was handed, since a look at the table
 * with each batch would cost as much as the batch; a unit that was run again counts twice, which does no harm. What a
 * crash or a failure leaves waiting is put in order later, by the end of the run at the latest.
 */
export function createBatchOrdering({ database, logger }: Pick<TrackingDeps, 'database' | 'logger'>): BatchOrdering {
  const waiting = new Map<string, number>();
  const due = new Set<string>();
  let running: Promise<void> | undefined;
  let stopped = false;

  function count(runId: string, points: number): boolean {
    const sum = (waiting.get(runId) ?? 0) + points;
    waiting.delete(runId); // what was touched last is forgotten last
    if (sum >= mostWaiting) return true;
    waiting.set(runId, sum);
    const [oldest] = waiting.keys();
    if (waiting.size > mostRuns && oldest !== undefined) waiting.delete(oldest);
    return false;
  }

  /** That no point was logged twice is taken for granted by the first run of the unit, which fails where one was. */
  function order(runId: string): Promise<void> {
    let distinct = database.dialect === 'postgres';
    return database.write({ actor: 'system:tracking' }, async (unit) => {
      const granted = distinct;
      distinct = false;
      await orderBatches(unit, runId, { distinct: granted });
    });
  }

  async function orderDue(): Promise<void> {
    for (const runId of due) {
      if (stopped) return;
      due.delete(runId);
      await order(runId).catch((err: unknown) =>
        logger.error({ err, runId }, 'waiting points of a run could not be put in order'),
      );
    }
  }

  function wake(): void {
    running ??= orderDue().finally(() => {
      running = undefined;
      if (due.size > 0 && !stopped) wake();
    });
  }

  return {
    handedIn(unit, runId, points) {
      if (points === 0 || !count(runId, points)) return;
      unit.afterCommit(() => {
        due.add(runId);
        wake();
      });
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
