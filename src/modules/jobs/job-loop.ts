import type { Clock } from '#platform/clock';
import type { Database, Unit, WriteContext } from '#platform/database';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { createAdmission } from './admission.ts';
import type { AttemptOutcome, Job, JobResult, LeftAttempt } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';
import {
  claimJob,
  endJob,
  findJob,
  findNextStartMs,
  listClaimable,
  listQueued,
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
 *      └────requeue──────┘   (error, lost or timeout, while the retry rule allows; or the server stops)
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
  /** Stops claiming. Commands go on without us and are adopted at the next start; everything else is given back. */
  stop(): Promise<void>;
}

export interface AttemptRunner {
  /** Rejects with the signal's reason when aborted before it began to run. */
  run(job: Job, token: string, signal: AbortSignal): Promise<AttemptOutcome | LeftAttempt>;
  /** Takes over an attempt of an earlier process. */
  adopt(job: Job, signal: AbortSignal): Promise<AttemptOutcome | LeftAttempt>;
  /** Removes what an attempt needed, after its end is recorded. */
  remove(job: Job): Promise<void>;
  /** Removes what attempts other than these have left. */
  sweep(running: readonly Job[]): Promise<void>;
}

export interface JobLoopDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runner: AttemptRunner;
  readonly capacity: { readonly cpu: number; readonly memoryMb: number; readonly workerTasks: number };
  /** Makes the attempt's token in the claiming unit. */
  issueToken(unit: Unit, job: Job): Promise<{ readonly id: string; readonly token: string }>;
  /** Takes it back in the unit that ends the attempt. */
  revokeToken(unit: Unit, id: string): Promise<void>;
  /** Further effects of a job's end, in its unit: artifacts kept, event. */
  ended(unit: Unit, job: Job, state: EndState, result: JobResult | undefined): Promise<void>;
}

type EndState = 'succeeded' | 'failed' | 'cancelled';
type Running = { readonly job: Job; readonly abort: AbortController; readonly done: Promise<void> };

const leaseMs = 30_000;
const renewEveryMs = 10_000;
const pollMs = 1_000;
const claimAtOnce = 64;
const longestPauseMs = 30_000;
const context: WriteContext = { actor: 'system:jobs' };
const stopping = Symbol('stopping');

export function createJobLoop(deps: JobLoopDeps): JobLoop {
  const { database, clock, logger, runner, capacity } = deps;
  const running = new Map<string, Running>();
  /** Cancelled between the commit of their claim and their start. */
  const cancelledEarly = new Set<string>();
  /** Attempts whose process has ended and that are still being recorded, and removed. */
  const ending = new Set<Promise<void>>();
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let renewTimer: NodeJS.Timeout | undefined;
  let claiming: Promise<void> | undefined;
  let again = false;
  let started = false;

  function wake(): void {
    if (!started || stop.signal.aborted) return;
    again = true;
    claiming ??= claimAll().finally(() => {
      claiming = undefined;
    });
  }

  async function claimAll(): Promise<void> {
    while (again && !stop.signal.aborted) {
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
    const nowMs = clock.nowMs();
    const admission = createAdmission(
      capacity,
      [...running.values()].map(({ job }) => ({ ...job, kind: job.work.kind })),
    );
    const chosen: string[] = [];
    for (const kind of ['worker', 'command'] as const) {
      if (admission.isFull(kind)) continue;
      for (const job of await listClaimable(database.read, kind, nowMs, claimAtOnce)) {
        if (!admission.admit(job)) break; // strictly by age, or a large job would wait for ever behind small ones
        chosen.push(job.id);
      }
    }
    if (chosen.length > 0) await claim(chosen);
    const next = await findNextStartMs(database.read, nowMs);
    if (next !== undefined) schedule(next);
  }

  async function claim(ids: readonly string[]): Promise<void> {
    const jobs = await listQueued(database.read, ids);
    try {
      const claimed = await database.write(context, async (unit) => {
        const taken: { readonly job: Job; readonly token: string }[] = [];
        for (const job of jobs) {
          const issued = job.work.kind === 'command' ? await deps.issueToken(unit, job) : undefined;
          if (!(await claimJob(unit, job, leaseMs, issued?.id))) {
            if (issued !== undefined) await deps.revokeToken(unit, issued.id);
            continue;
          }
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
      again ||= claimed.length > 0;
    } finally {
      cancelledEarly.clear();
    }
  }

  function leave(job: Job, outcome: AttemptOutcome | LeftAttempt | undefined): void {
    running.delete(job.id); // its place is free, so the next claim shares the commit of this record
    const ended = conclude(job, outcome)
      .catch((error: unknown) => {
        logger.error({ err: error, job: job.id }, 'the end of an attempt was not recorded');
      })
      .finally(() => ending.delete(ended));
    ending.add(ended);
    wake();
  }

  function begin(job: Job, attempt: (signal: AbortSignal) => Promise<AttemptOutcome | LeftAttempt>): void {
    const abort = new AbortController();
    if (cancelledEarly.has(job.id) || job.cancelRequested) abort.abort(jobsErrors.JOB_CANCELLED());
    const done = attend(job, attempt, abort.signal).then((outcome) => leave(job, outcome));
    running.set(job.id, { job, abort, done });
  }

  /** How an attempt ended; undefined when it was broken off because the server stops. */
  async function attend(
    job: Job,
    attempt: (signal: AbortSignal) => Promise<AttemptOutcome | LeftAttempt>,
    signal: AbortSignal,
  ): Promise<AttemptOutcome | LeftAttempt | undefined> {
    return await attempt(signal).catch((error: unknown): AttemptOutcome | undefined => {
      if (signal.reason === stopping) return undefined;
      const cancelled = jobsErrors.JOB_CANCELLED();
      if (signal.aborted) return { kind: 'cancelled', code: cancelled.code, message: cancelled.message };
      logger.error({ err: error, job: job.id }, 'an attempt failed in the server itself');
      return {
        kind: 'failed',
        code: 'INTERNAL',
        message: 'the server failed to run the attempt; its log has the cause',
      };
    });
  }

  async function conclude(job: Job, outcome: AttemptOutcome | LeftAttempt | undefined): Promise<void> {
    if (outcome?.kind === 'left') return;
    if (outcome === undefined) await giveBack(job);
    else await recordSurely(job, outcome);
    await runner.remove(job);
  }

  /** The server stops before the attempt could end: it does not count. */
  async function giveBack(job: Job): Promise<void> {
    await database.write(context, async (unit) => {
      if (await requeueJob(unit, job, unit.nowMs, job.attempt - 1)) await revoke(unit, job);
    });
  }

  /** An outcome that cannot be written now is written later: only this process knows it. */
  async function recordSurely(job: Job, outcome: AttemptOutcome): Promise<void> {
    let result = outcome;
    for (let tries = 0; ; tries += 1) {
      try {
        return await record(job, result);
      } catch (error) {
        if (isAppError(error, 'DATABASE_CLOSED')) throw error;
        logger.error({ err: error, job: job.id, tries }, 'the end of an attempt could not be recorded; trying again');
        if (isAppError(error) && !error.code.startsWith('DATABASE_'))
          result = { kind: 'lost', code: error.code, message: error.message }; // its files went while it was recorded
        if (stop.signal.aborted) throw error;
        await pause(Math.min(longestPauseMs, 100 * 2 ** tries));
      }
    }
  }

  async function record(job: Job, outcome: AttemptOutcome): Promise<void> {
    await database.write(context, async (unit) => {
      const cancelRequested = (await findJob(unit, job.id))?.cancelRequested === true;
      const delayMs = cancelRequested ? undefined : retryDelayMs(job, outcome.kind);
      if (delayMs !== undefined) {
        if (!(await requeueJob(unit, job, unit.nowMs + delayMs, job.attempt))) return;
        await revoke(unit, job);
        unit.afterCommit(wake);
        return;
      }
      const result = outcome.kind === 'succeeded' ? outcome.result : undefined;
      const cancelled = outcome.kind === 'cancelled' || cancelRequested;
      const state: EndState = outcome.kind === 'succeeded' ? 'succeeded' : cancelled ? 'cancelled' : 'failed';
      const error = outcome.kind === 'succeeded' ? undefined : { code: outcome.code, message: outcome.message };
      if (!(await endJob(unit, job, { state, ...(result && { result }), ...(error && { error }) }))) return;
      await revoke(unit, job);
      await deps.ended(unit, job, state, result);
    });
  }

  async function revoke(unit: Unit, job: Job): Promise<void> {
    if (job.tokenId !== undefined) await deps.revokeToken(unit, job.tokenId);
  }

  function schedule(atMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(wake, Math.max(1, Math.min(pollMs, atMs - clock.nowMs())));
    timer.unref();
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(waiting);
        stop.signal.removeEventListener('abort', end);
        resolve();
      };
      const waiting = setTimeout(end, ms);
      stop.signal.addEventListener('abort', end);
    });
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
      const found = running.get(jobId);
      if (found !== undefined) found.abort.abort(jobsErrors.JOB_CANCELLED());
      else if (claiming !== undefined) cancelledEarly.add(jobId);
    },
    async start() {
      const adopted = await listRunning(database.read);
      await runner.sweep(adopted);
      started = true;
      for (const job of adopted) begin(job, (signal) => runner.adopt(job, signal));
      renewTimer = setInterval(() => void renew(), renewEveryMs);
      renewTimer.unref();
      wake();
    },
    async stop() {
      stop.abort();
      clearTimeout(timer);
      clearInterval(renewTimer);
      await claiming;
      const left = [...running.values()];
      for (const { abort } of left) abort.abort(stopping);
      await Promise.all(left.map(({ done }) => done));
      await Promise.all(ending);
    },
  };
}
