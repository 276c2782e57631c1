import type { Clock } from './clock.ts';

/**
 * Does what comes due, by the clock on the wall: rounds one after another, at the start, when woken, and when the last round
 * said that the next thing is due.
 */
export interface DueLoop {
  /** Something may be due earlier than was known. */
  wake(): void;
  start(): void;
  /** Resolves when the round that runs has ended. */
  stop(): Promise<void>;
}

/** Also finds a clock that was set, what another control plane wrote, and what no timer can wait for (24 days). */
const longestWaitMs = 60_000;
export const waitAfterFailureMs = 5_000;

/** @param round does what is due; @returns the instant of what is due next, undefined when nothing is known to be */
export function createDueLoop(deps: {
  readonly clock: Clock;
  readonly round: () => Promise<number | undefined>;
  /** A round failed as a whole; the next comes a little later. */
  readonly failed: (error: unknown) => void;
}): DueLoop {
  const { clock, round, failed } = deps;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let started = false;

  async function takeRound(): Promise<void> {
    let waitMs = longestWaitMs;
    try {
      const nextMs = await round();
      if (nextMs !== undefined) waitMs = Math.min(waitMs, Math.max(0, nextMs - clock.nowMs()));
    } catch (error) {
      failed(error);
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
        await takeRound();
      }
    })().finally(() => {
      running = undefined;
    });
  }

  return {
    wake,
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
