import type { Clock } from '#platform/clock';
import type { Database, WriteContext } from '#platform/database';
import { createDueLoop } from '#platform/due-loop';
import type { Logger } from '#platform/log';
import { listRuns, listWaitingRuns } from './run-listing-store.ts';
import { endedStatuses } from './tracking-tables.ts';

/** Lists runs that have come to rest (run-listing-store.ts), a few at a time, behind what is being logged. */
export interface RunListing {
  /** A run was written to just now: it is not at rest. A hint in memory, nothing depends on it but work done twice. */
  touch(runId: string): void;
  /** Lists what is at rest; answers the instant at which more may be. */
  round(): Promise<number | undefined>;
  start(): void;
  stop(): Promise<void>;
}

const context: WriteContext = { actor: 'system:tracking.listing' };
/** Runs in a unit: it must not hold the writer for longer than a batch of requests does. */
const runsAtOnce = 20;
const runsLookedAt = 500;
/** A run that has not ended is at rest when nobody has written to it for so long: many clients never end their runs. */
const quietMs = 60_000;
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
  const touchedMs = new Map<string, number>();
  let startedMs = clock.nowMs();
  let stopHearing: (() => void) | undefined;
  let soon: NodeJS.Timeout | undefined;
  let stopping = false;

  async function round(): Promise<number | undefined> {
    const nowMs = clock.nowMs();
    for (const [runId, atMs] of touchedMs) if (atMs + quietMs <= nowMs) touchedMs.delete(runId);
    const isQuiet = (runId: string) => !touchedMs.has(runId) && startedMs + quietMs <= nowMs;
    let after: { readonly experimentKey: number; readonly runId: string } | undefined;
    let waits = false;
    for (;;) {
      const runs = await listWaitingRuns(database.read, after, runsLookedAt);
      const atRest = runs.filter(({ runId, status }) => endedStatuses.includes(status) || isQuiet(runId));
      waits ||= atRest.length < runs.length;
      for (let at = 0; at < atRest.length; at += runsAtOnce) {
        if (stopping) return undefined;
        const some = atRest.slice(at, at + runsAtOnce).map(({ runId }) => runId);
        await database.write(context, (unit) => listRuns(unit, some));
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
    touch(runId) {
      touchedMs.set(runId, clock.nowMs());
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
