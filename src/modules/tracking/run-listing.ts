import type { Clock } from '#platform/clock';
import type { Database, WriteContext } from '#platform/database';
import { createDueLoop } from '#platform/due-loop';
import type { Logger } from '#platform/log';
import { anyUnpacked, packSomeUnpacked } from './packed-history-store.ts';
import { listRuns, listWaitingRuns, type WaitingRun } from './run-listing-store.ts';
import { endedStatuses } from './tracking-tables.ts';

/** Lists runs that have come to rest (run-listing-store.ts), a few at a time, behind what is being logged. */
export interface RunListing {
  /**
   * A run was written to just now: it is not at rest, and even less so when it had been `listed`. A hint in memory,
   * nothing depends on it but work done twice.
   */
  touch(runId: string, listed?: boolean): void;
  /** Lists what is at rest; answers the instant at which more may be. */
  round(): Promise<number | undefined>;
  start(): void;
  stop(): Promise<void>;
}

const context: WriteContext = { actor: 'system:tracking.listing' };
/** Runs looked at in a unit, of which it lists as many as take no longer than some batches of requests do. */
const runsAtOnce = 200;
const runsLookedAt = 500;
/** A run that has not ended is at rest when nobody has written to it for so long: many clients never end their runs. */
const quietMs = 60_000;
/** Each time that a run is written to after it was listed, it must be quiet for twice as long, up to this. */
const longestQuietMs = 60 * quietMs;
/** What is imported has ended long ago. */
const endsRuns: ReadonlySet<string> = new Set(['tracking-run.finished', 'tracking.imported']);
/** Runs end in crowds: what ends meanwhile is listed together. */
const afterEndMs = 300;

export function createRunListing({
  database,
  clock,
  logger,
}: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error'>;
}): RunListing {
  const touched = new Map<string, { readonly atMs: number; readonly quietMs: number }>();
  let startedMs = clock.nowMs();
  let allPacked = false; // it stays so: what is listed now is packed with it
  let stopHearing: (() => void) | undefined;
  let soon: NodeJS.Timeout | undefined;
  let stopping = false;

  /** It has been listed before, and was written to again. */
  const hasReturned = (runId: string) => (touched.get(runId)?.quietMs ?? 0) > quietMs;

  async function packUnpacked(): Promise<void> {
    while (!allPacked && !stopping)
      if (await anyUnpacked(database.read)) await database.write(context, packSomeUnpacked);
      else allPacked = true;
  }

  async function round(): Promise<number | undefined> {
    await packUnpacked();
    const nowMs = clock.nowMs();
    // kept for longer than it takes to be quiet: it tells when a run comes and goes
    for (const [runId, last] of touched) if (last.atMs + 4 * last.quietMs <= nowMs) touched.delete(runId);
    const isQuiet = (runId: string) => {
      const last = touched.get(runId);
      return last === undefined || last.atMs + last.quietMs <= nowMs;
    };
    const isAtRest = ({ runId, status }: WaitingRun) =>
      endedStatuses.includes(status)
        ? !hasReturned(runId) || isQuiet(runId)
        : startedMs + quietMs <= nowMs && isQuiet(runId);
    let after: { readonly experimentKey: number; readonly runId: string } | undefined;
    let waits = false;
    for (;;) {
      const runs = await listWaitingRuns(database.read, after, runsLookedAt);
      const atRest = runs.filter(isAtRest).map(({ runId }) => runId);
      waits ||= atRest.length < runs.length;
      for (let at = 0, size = runsAtOnce; at < atRest.length; ) {
        if (stopping) return undefined;
        const some = atRest.slice(at, at + size);
        const done = await database.write(context, (unit) => listRuns(unit, some));
        at += done;
        size = Math.min(2 * done, runsAtOnce); // runs with many values: fewer are looked at
      }
      if (runs.length < runsLookedAt) return waits ? nowMs + quietMs : undefined;
      after = runs.at(-1);
    }
  }

  const loop = createDueLoop({
    clock,
    round,
    failed: (error) => logger.error({ err: error }, 'runs that have ended cannot be listed for searches; trying again'),
  });

  return {
    touch(runId, listed = false) {
      const quiet = touched.get(runId)?.quietMs ?? quietMs;
      touched.set(runId, { atMs: clock.nowMs(), quietMs: listed ? Math.min(2 * quiet, longestQuietMs) : quiet });
    },
    round,
    start() {
      stopping = false;
      startedMs = clock.nowMs();
      stopHearing = database.onEvents((events) => {
        if (soon === undefined && events.some(({ type }) => endsRuns.has(type)))
          soon = setTimeout(() => {
            soon = undefined;
            loop.wake();
          }, afterEndMs).unref();
      });
      loop.start();
    },
    async stop() {
      stopping = true;
      stopHearing?.();
      clearTimeout(soon);
      await loop.stop();
    },
  };
}
