import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import type { Denial } from '#platform/http';
import type { Logger } from '#platform/log';

/** Equal denials within this time are told together, so that a caller cannot flood the log. */
const windowMs = 60_000;
/** Different ones that are kept apart; what is beyond is told as one. */
const windowSize = 500;

interface Gathered {
  readonly denial: Denial;
  readonly untilMs: number;
  /** Not told yet. */
  count: number;
}

export interface DenialRecorder {
  /** Returns at once: the caller is being refused and does not wait for the log. */
  readonly record: (denial: Denial) => void;
  /** Tells what was gathered and waits for it. */
  flush(): Promise<void>;
}

/** The first of its kind is written at once; what follows within a minute, as a count when the minute is over. */
export function createDenialRecorder(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
}): DenialRecorder {
  const { database, clock, logger } = deps;
  const gathered = new Map<string, Gathered>();
  let writing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function write({ principal, permission, project, operation, requestId }: Denial, count: number): void {
    const done = database.write({ actor: principal, cause: requestId }, (unit) =>
      unit.emit({
        type: 'request.denied',
        project,
        subject: `project:${project}`,
        data: { operation, permission, requestId, count },
      }),
    );
    writing = Promise.all([writing, done]).then(
      () => undefined,
      (error: unknown) => logger.error({ err: error, operation, principal }, 'a denied request could not be recorded'),
    );
  }

  function settle(nowMs: number): void {
    for (const [key, entry] of gathered) {
      if (entry.untilMs > nowMs) continue;
      if (entry.count > 0) write(entry.denial, entry.count);
      gathered.delete(key);
    }
  }

  return {
    record(denial) {
      const nowMs = clock.nowMs();
      settle(nowMs);
      const whole = `${denial.principal}\n${denial.project}\n${denial.operation}`;
      const crowded = gathered.size >= windowSize && !gathered.has(whole);
      const told: Denial = crowded ? { ...denial, project: 'default', operation: '*' } : denial;
      const key = crowded ? '*' : whole;
      const entry = gathered.get(key);
      if (entry !== undefined) {
        entry.count += 1;
        return;
      }
      gathered.set(key, { denial: told, untilMs: nowMs + windowMs, count: 0 });
      write(told, 1);
      timer ??= setInterval(() => settle(clock.nowMs()), windowMs).unref();
    },
    async flush() {
      clearInterval(timer);
      timer = undefined;
      settle(Infinity);
      await writing;
    },
  };
}
