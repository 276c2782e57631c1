import type { Clock } from '#platform/clock';
import type { Database, Unit, WriteContext } from '#platform/database';
import type { Logger } from '#platform/log';
import type { AttemptOutcome, Job } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';
import {
  claimJob,
  endJob,
  findJob,
  findNextStartMs,
  listClaimable,
  listRunning,
  renewLeases,
  requeueJob,
} from './jobs-store.ts';
import { retryDelayMs } from './retry-rule.ts';

/**
 * The life of a job:
 *
 *   queued ──claim──► running ──record──► succeeded | failed | cancelled
 *      ▲                 │
 *      └────requeue──────┘   (error, lost or timeout, while the retry rule allows)
 *
 * A claim raises the fence by one; whatever an attempt writes is guarded by its fence, so that a late one changes
 * nothing. One process owns the queue: after a restart it takes over every job that is `running`.
 */
export interface JobLoop {
  /** Something may be ready to start. */
  wake(): void;
  /** Ends a running attempt; its outcome is `cancelled`. */
  cancel(jobId: string): void;
  start(): Promise<void>;
  /** Stops claiming. Commands go on without us and are adopted at the next start; worker tasks are given back. */
  stop(): Promise<void>;
}

export interface AttemptRunner {
  run(job: Job, token: string, signal: AbortSignal): Promise<AttemptOutcome>;
  /** Takes over an attempt of an earlier process. */
  adopt(job: Job, signal: AbortSignal): Promise<AttemptOutcome>;
}

export interface JobLoopDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runner: AttemptRunner;
  readonly capacity: { readonly cpu: number; readonly memoryMb: number; readonly workerTasks: number };
  /** Makes the attempt's token in the claiming unit. */
  issueToken(unit: Unit, job: Job): Promise<{ readonly id: string; readonly token: string }>;
  /** Further effects of an end, in its unit: artifacts kept, token revoked, event. */
  ended(unit: Unit, job: Job, outcome: AttemptOutcome): Promise<void>;
}

const leaseMs = 30_000;
const renewEveryMs = 10_000;
const pollMs = 1_000;
const claimAtOnce = 64;
const context: WriteContext = { actor: 'system:jobs' };
const stopping = Symbol('stopping');

export function createJobLoop(deps: JobLoopDeps): JobLoop {
  const { database, clock, logger, runner, capacity } = deps;
  const running = new Map<
    string,
    { readonly job: Job; readonly abort: AbortController; readonly done: Promise<void> }
  >();
  let timer: NodeJS.Timeout | undefined;
  let renewTimer: NodeJS.Timeout | undefined;
  let claiming: Promise<void> | undefined;
  let again = false;
  let stopped = true;

  function wake(): void {
    if (stopped) return;
    again = true;
    claiming ??= claimAll().finally(() => {
      claiming = undefined;
    });
  }

  async function claimAll(): Promise<void> {
    while (again && !stopped) {
      again = false;
      try {
        await claimOnce();
      } catch (error) {
        logger.error({ err: error }, 'claiming jobs failed; trying again');
        schedule(clock.nowMs() + pollMs);
      }
    }
  }

  async function claimOnce(): Promise<void> {
    const candidates = await listClaimable(database.read, clock.nowMs(), claimAtOnce);
    const chosen = fitting(candidates);
    if (chosen.length === 0) {
      const next = await findNextStartMs(database.read);
      if (next !== undefined) schedule(next);
      return;
    }
    const claimed = await database.write(context, async (unit) => {
      const taken: { readonly job: Job; readonly token: string }[] = [];
      for (const job of chosen) {
        const issued = job.work.kind === 'command' ? await deps.issueToken(unit, job) : undefined;
        if (await claimJob(unit, job, leaseMs, issued?.id))
          taken.push({
            job: {
              ...job,
              state: 'running',
              attempt: job.attempt + 1,
              fence: job.fence + 1,
              tokenId: issued?.id,
              startedMs: unit.nowMs,
            },
            token: issued?.token ?? '',
          });
      }
      return taken;
    });
    for (const { job, token } of claimed) begin(job, (signal) => runner.run(job, token, signal));
    if (candidates.length === claimAtOnce || chosen.length < candidates.length) again ||= claimed.length > 0;
  }

  /** What the free capacity holds, oldest first. A job larger than the machine starts when it would be alone. */
  function fitting(candidates: readonly Job[]): readonly Job[] {
    let { cpu, memoryMb, workerTasks } = capacity;
    let commands = 0;
    for (const { job } of running.values()) {
      if (job.work.kind === 'worker') workerTasks -= 1;
      else {
        cpu -= job.cpu;
        memoryMb -= job.memoryMb;
        commands += 1;
      }
    }
    const chosen: Job[] = [];
    for (const job of candidates) {
      if (job.work.kind === 'worker') {
        if (workerTasks < 1) continue;
        workerTasks -= 1;
      } else {
        if (commands > 0 && (job.cpu > cpu || job.memoryMb > memoryMb)) continue;
        cpu -= job.cpu;
        memoryMb -= job.memoryMb;
        commands += 1;
      }
      chosen.push(job);
    }
    return chosen;
  }

  function begin(job: Job, attempt: (signal: AbortSignal) => Promise<AttemptOutcome>): void {
    const abort = new AbortController();
    const done = attempt(abort.signal)
      .catch((error: unknown): AttemptOutcome => {
        if (abort.signal.reason === stopping) throw stopping;
        const cancelled = jobsErrors.JOB_CANCELLED();
        if (abort.signal.aborted) return { kind: 'cancelled', code: cancelled.code, message: cancelled.message };
        logger.error({ err: error, job: job.id }, 'an attempt failed in the server itself');
        return {
          kind: 'failed',
          code: 'INTERNAL',
          message: 'the server failed to run the attempt; its log has the cause',
        };
      })
      .then((outcome) => record(job, outcome))
      .catch((error: unknown) => {
        if (error !== stopping) logger.error({ err: error, job: job.id }, 'the outcome of an attempt was not recorded');
      })
      .finally(() => {
        running.delete(job.id);
        wake();
      });
    running.set(job.id, { job, abort, done });
  }

  async function record(job: Job, outcome: AttemptOutcome): Promise<void> {
    await database.write(context, async (unit) => {
      const delayMs = retryDelayMs(job, outcome.kind);
      const cancelRequested = (await findJob(unit, job.id))?.cancelRequested === true;
      if (delayMs !== undefined && !cancelRequested) {
        await requeueJob(unit, job, unit.nowMs + delayMs);
        return;
      }
      const state =
        outcome.kind === 'succeeded'
          ? 'succeeded'
          : outcome.kind === 'cancelled' || cancelRequested
            ? 'cancelled'
            : 'failed';
      const end =
        outcome.kind === 'succeeded'
          ? { state, result: outcome.result }
          : { state, error: { code: outcome.code, message: outcome.message } };
      if (await endJob(unit, job, end as Parameters<typeof endJob>[2])) await deps.ended(unit, job, outcome);
    });
  }

  function schedule(atMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(wake, Math.max(1, Math.min(pollMs, atMs - clock.nowMs())));
    timer.unref();
  }

  async function renew(): Promise<void> {
    if (running.size === 0) return;
    await database
      .write(context, (unit) => renewLeases(unit, [...running.keys()], leaseMs))
      .catch((error: unknown) => logger.error({ err: error }, 'leases were not renewed'));
  }

  return {
    wake,
    cancel(jobId) {
      running.get(jobId)?.abort.abort(jobsErrors.JOB_CANCELLED());
    },
    async start() {
      stopped = false;
      for (const job of await listRunning(database.read)) begin(job, (signal) => runner.adopt(job, signal));
      renewTimer = setInterval(() => void renew(), renewEveryMs);
      renewTimer.unref();
      wake();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      clearInterval(renewTimer);
      await claiming;
      const left = [...running.values()];
      for (const { abort } of left) abort.abort(stopping);
      await Promise.all(left.map(({ done }) => done));
    },
  };
}
