import type { Clock } from '#platform/clock';
import type { Database, Unit, WriteContext } from '#platform/database';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { createAdmission } from './admission.ts';
import { lostAttempt } from './command-runner.ts';
import type { AttemptOutcome, Job, JobResult, LeftAttempt } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';
import {
  claimJob,
  endJob,
  findJob,
  findNextStartMs,
  listClaimable,
  listOverdue,
  listRunning,
  renewLeases,
  requeueJob,
} from './jobs-store.ts';
import type { JobRow } from './jobs-tables.ts';
import { retryDelayMs } from './retry-rule.ts';

type JobKind = JobRow['kind'];

/**
 * The life of a job:
 *
 *   queued ──claim──► running ──record──► succeeded | failed | cancelled
 *      ▲                 │
 *      └────requeue──────┘   (error, lost or timeout, while the retry rule allows; or the server stops)
 *
 * A claim raises the fence by one; whatever an attempt writes is guarded by its fence, so that a late one changes
 * nothing. One process owns the queue: after a restart it takes over every job that is `running`. What it has it holds by
 * a lease that it renews; a job whose lease is over, because its claim was committed while the answer got lost, is lost
 * and tried again.
 *
 * The loop turns: one unit records every attempt that has ended since the last turn and claims what then has room, so
 * that an attempt's end and the next one's start are one commit.
 */
export interface JobLoop {
  /** Something of this kind may be ready to start. */
  wake(kind: JobKind): void;
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
  /** How long an attempt may go without a sign of its holder, which gives one three times as often. Default 30 s. */
  readonly leaseMs?: number;
  /** Makes the attempt's token in the claiming unit. */
  issueToken(unit: Unit, job: Job): Promise<{ readonly id: string; readonly token: string }>;
  /** Takes it back in the unit that ends the attempt. */
  revokeToken(unit: Unit, id: string): Promise<void>;
  /** Further effects of a job's end, in its unit: artifacts kept, event. */
  ended(unit: Unit, job: Job, state: EndState, result: JobResult | undefined): Promise<void>;
}

type EndState = 'succeeded' | 'failed' | 'cancelled';
type Running = { readonly job: Job; readonly abort: AbortController; readonly done: Promise<void> };
type Claimed = { readonly job: Job; readonly token: string };
type Ended = { readonly job: Job; readonly outcome: AttemptOutcome };

const pollMs = 1_000;
const longestPauseMs = 30_000;
const context: WriteContext = { actor: 'system:jobs' };
const stopping = Symbol('stopping');
const kinds = ['worker', 'command'] as const;

export function createJobLoop(deps: JobLoopDeps): JobLoop {
  const { database, clock, logger, runner, capacity, leaseMs = 30_000 } = deps;
  const running = new Map<string, Running>();
  /** Attempts from their start until their end is written: their leases are renewed. */
  const held = new Map<string, Job>();
  /** Cancelled between the commit of their claim and their start. */
  const cancelledEarly = new Set<string>();
  /** Kinds of which something may be ready. */
  const wanted = new Set<JobKind>();
  /** Ended, and not recorded yet. */
  let ended: Ended[] = [];
  /** Attempts that are being recorded one by one, given back, or removed. */
  const concluding = new Set<Promise<void>>();
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let renewTimer: NodeJS.Timeout | undefined;
  let renewing: Promise<void> | undefined;
  let turning: Promise<void> | undefined;
  let started = false;

  function wake(kind: JobKind): void {
    if (!started || stop.signal.aborted) return;
    wanted.add(kind);
    turn();
  }

  function wakeAll(): void {
    for (const kind of kinds) wake(kind);
  }

  function turn(): void {
    turning ??= turnOn().finally(() => {
      turning = undefined;
      // What came between the last look and here found a turn that was over.
      if (ended.length > 0 || (wanted.size > 0 && !stop.signal.aborted)) turn();
    });
  }

  async function turnOn(): Promise<void> {
    while (ended.length > 0 || (wanted.size > 0 && !stop.signal.aborted)) {
      const recorded = ended;
      ended = [];
      const admission = createAdmission(
        capacity,
        [...running.values()].map(({ job }) => ({ ...job, kind: job.work.kind })),
      );
      const open = stop.signal.aborted ? [] : kinds.filter((kind) => wanted.has(kind) && !admission.isFull(kind));
      wanted.clear(); // what is full is wanted again when something of it ends
      if (recorded.length === 0 && open.length === 0) continue;
      try {
        await takeTurn(recorded, open, admission);
      } catch (error) {
        for (const one of recorded) conclude(one.job, recordSurely(one)); // one of them may be what stands in the way
        if (recorded.length > 0) for (const kind of open) wanted.add(kind);
        else {
          logger.error({ err: error }, 'claiming jobs failed; trying again');
          schedule(clock.nowMs() + pollMs);
        }
      } finally {
        cancelledEarly.clear();
      }
    }
  }

  async function takeTurn(
    recorded: readonly Ended[],
    open: readonly JobKind[],
    admission: ReturnType<typeof createAdmission>,
  ): Promise<void> {
    const { claimed, more } = await database.write(context, async (unit) => {
      for (const one of recorded) await record(unit, one);
      const { admitted, more: left } = await choose(unit, open, admission.copy());
      const taken: Claimed[] = [];
      for (const job of admitted) {
        const one = await claim(unit, job);
        if (one !== undefined) taken.push(one);
      }
      return { claimed: taken, more: left };
    });
    for (const { job, token } of claimed) begin(job, (signal) => runner.run(job, token, signal));
    for (const { job } of recorded) conclude(job, Promise.resolve());
    for (const kind of more) wanted.add(kind);
  }

  /** What may start now, and the kinds of which there may be more. */
  async function choose(
    unit: Unit,
    open: readonly JobKind[],
    admission: ReturnType<typeof createAdmission>,
  ): Promise<{ readonly admitted: readonly Job[]; readonly more: readonly JobKind[] }> {
    const admitted: Job[] = [];
    const more: JobKind[] = [];
    for (const kind of open) {
      const limit = admission.room(kind);
      const jobs = await listClaimable(unit, kind, unit.nowMs, limit);
      // strictly by age, or a large job would wait for ever behind small ones
      const last = jobs.findIndex((job) => !admission.admit({ ...job, kind }));
      admitted.push(...jobs.slice(0, last < 0 ? limit : last));
      if (last < 0 && jobs.length === limit) more.push(kind);
    }
    return { admitted, more };
  }

  async function claim(unit: Unit, job: Job): Promise<Claimed | undefined> {
    const issued = job.work.kind === 'command' ? await deps.issueToken(unit, job) : undefined;
    if (!(await claimJob(unit, job, leaseMs, issued?.id))) {
      if (issued !== undefined) await deps.revokeToken(unit, issued.id);
      return undefined;
    }
    return {
      job: {
        ...job,
        state: 'running',
        attempt: job.attempt + 1,
        fence: job.fence + 1,
        tokenId: issued?.id,
        startedMs: unit.nowMs,
      },
      token: issued?.token ?? '',
    };
  }

  function begin(job: Job, attempt: (signal: AbortSignal) => Promise<AttemptOutcome | LeftAttempt>): void {
    const abort = new AbortController();
    if (cancelledEarly.has(job.id) || job.cancelRequested) abort.abort(jobsErrors.JOB_CANCELLED());
    const done = attend(job, attempt, abort.signal).then((outcome) => leave(job, outcome));
    running.set(job.id, { job, abort, done });
    held.set(job.id, job);
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

  function leave(job: Job, outcome: AttemptOutcome | LeftAttempt | undefined): void {
    running.delete(job.id);
    if (outcome?.kind === 'left') return letGo(job);
    if (outcome === undefined) return conclude(job, giveBack(job));
    ended.push({ job, outcome });
    if (started && !stop.signal.aborted) wanted.add(job.work.kind); // its place is free
    turn();
  }

  function letGo(job: Job): void {
    if (held.get(job.id) === job) held.delete(job.id); // else its next attempt has begun
  }

  /** Removes what an attempt needed, once its end is written. */
  function conclude(job: Job, written: Promise<void>): void {
    const done = written
      .then(() => {
        letGo(job);
        return runner.remove(job);
      })
      .catch((error: unknown) => {
        logger.error({ err: error, job: job.id }, 'the end of an attempt was not recorded');
      })
      .finally(() => concluding.delete(done));
    concluding.add(done);
  }

  /** The server stops before the attempt could end: it does not count. */
  async function giveBack(job: Job): Promise<void> {
    await database.write(context, async (unit) => {
      if (await requeueJob(unit, job, unit.nowMs, job.attempt - 1)) await revoke(unit, job);
    });
  }

  /** An outcome that cannot be written now is written later: only this process knows it. */
  async function recordSurely({ job, outcome }: Ended): Promise<void> {
    let result = outcome;
    for (let tries = 0; ; tries += 1) {
      try {
        return await database.write(context, (unit) => record(unit, { job, outcome: result }));
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

  async function record(unit: Unit, { job, outcome }: Ended): Promise<void> {
    if (outcome.kind === 'succeeded') {
      const { result } = outcome;
      if (!(await endJob(unit, job, { state: 'succeeded', result }))) return;
      await revoke(unit, job);
      return await deps.ended(unit, job, 'succeeded', result);
    }
    const cancelRequested = (await findJob(unit, job.id))?.cancelRequested === true;
    const delayMs = cancelRequested ? undefined : retryDelayMs(job, outcome.kind);
    if (delayMs !== undefined) {
      const startMs = unit.nowMs + delayMs;
      if (!(await requeueJob(unit, job, startMs, job.attempt))) return;
      await revoke(unit, job);
      unit.afterCommit(() => schedule(startMs));
      return;
    }
    const state = outcome.kind === 'cancelled' || cancelRequested ? 'cancelled' : 'failed';
    if (!(await endJob(unit, job, { state, error: { code: outcome.code, message: outcome.message } }))) return;
    await revoke(unit, job);
    await deps.ended(unit, job, state, undefined);
  }

  async function revoke(unit: Unit, job: Job): Promise<void> {
    if (job.tokenId !== undefined) await deps.revokeToken(unit, job.tokenId);
  }

  let nextStartMs: number | undefined;

  /** Looks for work at an instant: jobs that wait for it are queued already, so that nobody else wakes the loop. */
  function schedule(atMs: number): void {
    nextStartMs = Math.min(atMs, nextStartMs ?? atMs);
    clearTimeout(timer);
    if (stop.signal.aborted) return;
    timer = setTimeout(look, Math.max(1, Math.min(pollMs, nextStartMs - clock.nowMs())));
    timer.unref();
  }

  function look(): void {
    nextStartMs = undefined;
    wakeAll();
    lookAhead().catch((error: unknown) => {
      logger.error({ err: error }, 'cannot look for jobs that start later; trying again');
      schedule(clock.nowMs() + pollMs);
    });
  }

  async function lookAhead(): Promise<void> {
    const next = await findNextStartMs(database.read, clock.nowMs());
    if (next !== undefined) schedule(next);
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

  /** Renews what is held, then gives up what nobody holds. */
  async function renew(): Promise<void> {
    try {
      // most of the time there is neither, and nothing to write
      if (held.size === 0 && (await listOverdue(database.read, clock.nowMs())).length === 0) return;
      const overdue = await database.write(context, async (unit) => {
        await renewLeases(unit, [...held.values()], leaseMs);
        const left = await listOverdue(unit, unit.nowMs);
        for (const job of left) await record(unit, { job, outcome: lostAttempt() });
        return left;
      });
      for (const job of overdue) {
        logger.warn({ job: job.id, fence: job.fence }, 'an attempt was lost: its lease was over');
        conclude(job, Promise.resolve());
      }
      if (overdue.length > 0) wakeAll();
    } catch (error) {
      logger.error({ err: error }, 'leases were not renewed');
    }
  }

  return {
    wake,
    cancel(jobId) {
      const found = running.get(jobId);
      if (found !== undefined) found.abort.abort(jobsErrors.JOB_CANCELLED());
      else if (turning !== undefined) cancelledEarly.add(jobId);
    },
    async start() {
      const adopted = await listRunning(database.read);
      await runner.sweep(adopted);
      started = true;
      for (const job of adopted) begin(job, (signal) => runner.adopt(job, signal));
      renewTimer = setInterval(() => {
        renewing ??= renew().finally(() => {
          renewing = undefined;
        });
      }, leaseMs / 3);
      renewTimer.unref();
      wakeAll();
      await lookAhead();
    },
    async stop() {
      stop.abort();
      clearTimeout(timer);
      clearInterval(renewTimer);
      await renewing;
      await turning;
      const left = [...running.values()];
      for (const { abort } of left) abort.abort(stopping);
      await Promise.all(left.map(({ done }) => done));
      await turning;
      await Promise.all(concluding);
    },
  };
}
