import { appendFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretBlotter } from '#modules/secrets';
import type { BlobStore } from '#platform/blobs';
import { isAppError } from '#platform/errors';
import { type ProcessExit, type ProcessLauncher, watchExit } from '#platform/processes';
import { prepareAttempt } from './attempt-folder.ts';
import { collectOutputs } from './collect-outputs.ts';
import { attemptVariable, endLeftovers, endProcesses } from './end-process.ts';
import { attemptFolder, attemptName, journalFile, logFile, logFolder, removeAttempt } from './job-folders.ts';
import { attemptLine, lastLines } from './job-log.ts';
import type { AttemptOutcome, CommandWork, Job, LeftAttempt } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';

export interface CommandRunnerDeps {
  readonly blobs: BlobStore;
  readonly launcher: Pick<ProcessLauncher, 'start'>;
  /** Parent of the attempts' folders. */
  readonly folder: string;
  /** Search path of steps. */
  readonly path: string;
  readonly secrets: {
    /** The value of a secret, for a reference that was granted it. */
    reveal(project: string, name: string, grantee: string): Promise<string>;
    /** Keeps known values out of what is said of a log. */
    readonly blotter: SecretBlotter;
  };
  /** Makes the environment of a requirements text, or finds it; `log` gets what a person waiting wants to read. */
  ensurePython(
    requirements: string,
    log: (line: string) => void,
    signal: AbortSignal,
  ): Promise<{ readonly binPath: string; readonly folder: string }>;
}

/** Runs one attempt of a command in a process group of its own, or takes one over that an earlier server began. */
export function createCommandRunner(deps: CommandRunnerDeps) {
  mkdirSync(logFolder(deps.folder), { recursive: true });

  async function run(
    job: Job,
    work: CommandWork,
    token: string,
    signal: AbortSignal,
  ): Promise<AttemptOutcome | LeftAttempt> {
    const folder = attemptFolder(deps.folder, job);
    const log = logFile(deps.folder, job);
    await removeAttempt(deps.folder, job);
    mkdirSync(folder, { recursive: true });
    if (job.attempt > 1) appendFileSync(log, attemptLine(job.attempt));
    let started: Promise<void>;
    try {
      const python =
        work.requirements === undefined
          ? undefined
          : await deps.ensurePython(work.requirements, (line) => appendFileSync(log, `${line}\n`), signal);
      const secrets: Record<string, string> = {};
      for (const [variable, name] of Object.entries(work.secrets?.names ?? {}))
        secrets[variable] = await deps.secrets.reveal(job.project, name, work.secrets?.grantee ?? '');
      const prepared = await prepareAttempt(folder, work, deps.blobs, {
        token,
        path: python === undefined ? deps.path : `${python.binPath}:${deps.path}`,
        secrets,
        variables: {
          [attemptVariable]: attemptName(job),
          ...(python !== undefined && { VIRTUAL_ENV: python.folder }),
        },
      });
      signal.throwIfAborted();
      const [program = 'true', ...rest] = prepared.argv;
      const { gone } = await deps.launcher.start({
        command: [program, ...rest],
        cwd: prepared.cwd,
        env: prepared.environment,
        folder,
        logFile: log,
      });
      started = gone;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isAppError(error)) return { kind: 'failed', code: error.code, message: error.message };
      throw error;
    }
    return attend(job, work, folder, signal, started);
  }

  /** Waits for the process and turns its end into an outcome. */
  async function attend(
    job: Job,
    work: CommandWork,
    folder: string,
    signal: AbortSignal,
    gone?: Promise<void>,
  ): Promise<AttemptOutcome | LeftAttempt> {
    const end = new AbortController();
    const disarm =
      job.timeoutMs === undefined
        ? undefined
        : setLongTimeout(() => end.abort('timeout'), startedAtMs(folder) + job.timeoutMs);
    const onAbort = (): void => end.abort(isAppError(signal.reason, 'JOB_CANCELLED') ? 'cancel' : 'leave');
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const exit = await watchExit(folder, end.signal, gone);
      await endLeftovers(folder);
      return await outcomeOf(job, work, folder, exit);
    } catch (error) {
      if (!end.signal.aborted || error !== end.signal.reason) throw error;
      if (error === 'leave') return { kind: 'left' };
      await recorded(folder);
      await endProcesses(folder, attemptName(job));
      const timedOut = error === 'timeout';
      const failure = timedOut ? jobsErrors.STEP_TIMED_OUT(job.timeoutMs ?? 0) : jobsErrors.JOB_CANCELLED();
      return { kind: timedOut ? 'timed-out' : 'cancelled', code: failure.code, message: failure.message };
    } finally {
      disarm?.();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async function outcomeOf(job: Job, work: CommandWork, folder: string, exit: ProcessExit): Promise<AttemptOutcome> {
    if (exit.outcome === 'lost') return lostAttempt();
    if (exit.outcome === 'signalled') {
      const { code, message } = jobsErrors.STEP_KILLED(exit.signal);
      return { kind: 'failed', code, message };
    }
    if (exit.code !== 0) {
      const { code, message } = jobsErrors.STEP_FAILED(
        exit.code,
        await lastLines(logFile(deps.folder, job), deps.secrets.blotter),
      );
      return { kind: 'failed', code, message, exitCode: exit.code };
    }
    try {
      const files = await collectOutputs(folder, journalFile(deps.folder, job), work.outputs, deps.blobs);
      return { kind: 'succeeded', result: { files, exitCode: 0 } };
    } catch (error) {
      if (isAppError(error, 'ATTEMPT_LOST')) return lostAttempt();
      if (!isAppError(error)) throw error;
      return { kind: 'failed', code: error.code, message: error.message, exitCode: 0 };
    }
  }

  return {
    run,
    /** The process that an earlier server started: it runs, has ended, or is lost. */
    async adopt(job: Job, work: CommandWork, signal: AbortSignal): Promise<AttemptOutcome | LeftAttempt> {
      const folder = attemptFolder(deps.folder, job);
      return existsSync(folder) ? await attend(job, work, folder, signal) : lostAttempt();
    },
  };
}

export function lostAttempt(): AttemptOutcome {
  const { code, message } = jobsErrors.ATTEMPT_LOST();
  return { kind: 'lost', code, message };
}

/** When the process began; now, while it is about to. */
function startedAtMs(folder: string): number {
  return statSync(join(folder, 'process'), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
}

const recordWaitMs = 5_000;
const lookAgainMs = 5;

/** Waits until a process that was started a moment ago can be found, so that it can be ended. */
async function recorded(folder: string): Promise<void> {
  const path = join(folder, 'process');
  for (const endAt = Date.now() + recordWaitMs; Date.now() < endAt; ) {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}

const longestTimerMs = 2 ** 31 - 1;

/** A timer at an instant, also one that is weeks away. */
function setLongTimeout(fire: () => void, atMs: number): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const leftMs = Math.max(0, atMs - Date.now());
    timer = leftMs > longestTimerMs ? setTimeout(arm, longestTimerMs) : setTimeout(fire, leftMs);
  };
  arm();
  return () => clearTimeout(timer);
}
