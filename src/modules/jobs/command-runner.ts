import { existsSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStore } from '#platform/blobs';
import { isAppError } from '#platform/errors';
import { findProcess, type ProcessExit, signalGroup, startProcess, watchExit } from '#platform/processes';
import { prepareAttempt } from './attempt-folder.ts';
import { collectOutputs } from './collect-outputs.ts';
import type { AttemptOutcome, CommandWork, Job } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';

export interface CommandRunnerDeps {
  readonly blobs: BlobStore;
  /** Parent of the attempts' folders. */
  readonly folder: string;
  /** Search path of steps. */
  readonly path: string;
  /** Makes the environment of a requirements text, or finds it; `log` gets what a person waiting wants to read. */
  ensurePython(
    requirements: string,
    log: (line: string) => void,
    signal: AbortSignal,
  ): Promise<{ readonly binPath: string; readonly folder: string }>;
}

const graceMs = 10_000;
const tailBytes = 600;
export const attemptFolder = (folder: string, job: Pick<Job, 'id' | 'attempt'>): string =>
  join(folder, `${job.id}-${job.attempt}`);
export const logFile = (folder: string): string => join(folder, 'output.log');

/** Runs one attempt of a command in a process group of its own, or takes one over that an earlier server began. */
export function createCommandRunner(deps: CommandRunnerDeps) {
  async function run(job: Job, work: CommandWork, token: string, signal: AbortSignal): Promise<AttemptOutcome> {
    const folder = attemptFolder(deps.folder, job);
    await rm(folder, { recursive: true, force: true }); // what an attempt left that was never started
    await mkdir(folder, { recursive: true });
    try {
      const python =
        work.requirements === undefined ? undefined : await preparePython(work.requirements, folder, signal);
      const prepared = await prepareAttempt(folder, work, deps.blobs, {
        token,
        path: python === undefined ? deps.path : `${python.binPath}:${deps.path}`,
        variables: {
          TIDEMILL_ATTEMPT: job.id,
          ...(python !== undefined && { VIRTUAL_ENV: python.folder }),
        },
      });
      signal.throwIfAborted();
      const [program = 'true', ...rest] = prepared.argv;
      await startProcess({
        command: [program, ...rest],
        cwd: prepared.cwd,
        env: prepared.environment,
        folder,
        logFile: logFile(folder),
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isAppError(error)) return { kind: 'failed', code: error.code, message: error.message };
      throw error;
    }
    return attend(job, work, folder, signal);
  }

  /** Waits for the process and turns its end into an outcome. */
  async function attend(job: Job, work: CommandWork, folder: string, signal: AbortSignal): Promise<AttemptOutcome> {
    const leftMs =
      job.timeoutMs === undefined ? undefined : job.timeoutMs - (Date.now() - (job.startedMs ?? Date.now()));
    const end = new AbortController();
    const timeout = leftMs === undefined ? undefined : setTimeout(() => end.abort('timeout'), Math.max(0, leftMs));
    const onAbort = (): void => end.abort(isAppError(signal.reason, 'JOB_CANCELLED') ? 'cancel' : 'leave');
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await outcomeOf(work, folder, await watchExit(folder, end.signal));
    } catch (error) {
      if (end.signal.reason === 'leave') throw signal.reason; // the process goes on; the next server adopts it
      if (end.signal.reason !== 'timeout' && end.signal.reason !== 'cancel') throw error;
      await endGroup(folder);
      const failure =
        end.signal.reason === 'timeout' ? jobsErrors.STEP_TIMED_OUT(job.timeoutMs ?? 0) : jobsErrors.JOB_CANCELLED();
      return {
        kind: end.signal.reason === 'timeout' ? 'timed-out' : 'cancelled',
        code: failure.code,
        message: failure.message,
      };
    } finally {
      clearTimeout(timeout);
      signal.removeEventListener('abort', onAbort);
      if (end.signal.reason !== 'leave') await tidy(folder);
    }
  }

  async function outcomeOf(work: CommandWork, folder: string, exit: ProcessExit): Promise<AttemptOutcome> {
    if (exit.outcome === 'lost') {
      const lost = jobsErrors.ATTEMPT_LOST();
      return { kind: 'lost', code: lost.code, message: lost.message };
    }
    if (exit.outcome === 'signalled' || exit.code !== 0) {
      const failure =
        exit.outcome === 'signalled'
          ? jobsErrors.STEP_KILLED(exit.signal)
          : jobsErrors.STEP_FAILED(exit.code, await lastLines(logFile(folder)));
      return {
        kind: 'failed',
        code: failure.code,
        message: failure.message,
        ...(exit.outcome === 'exited' && { exitCode: exit.code }),
      };
    }
    try {
      return {
        kind: 'succeeded',
        result: { files: await collectOutputs(folder, work.outputs, deps.blobs), exitCode: 0 },
      };
    } catch (error) {
      if (!isAppError(error)) throw error;
      return { kind: 'failed', code: error.code, message: error.message, exitCode: 0 };
    }
  }

  async function preparePython(requirements: string, folder: string, signal: AbortSignal) {
    const log = await open(logFile(folder), 'a');
    try {
      return await deps.ensurePython(requirements, (line) => void log.write(`${line}\n`), signal);
    } finally {
      await log.close();
    }
  }

  return {
    run,
    async adopt(job: Job, work: CommandWork, signal: AbortSignal): Promise<AttemptOutcome> {
      const folder = attemptFolder(deps.folder, job);
      if (!existsSync(folder) || (await findProcess(folder)) === undefined) {
        const lost = jobsErrors.ATTEMPT_LOST();
        if (!existsSync(join(folder, 'exit.json'))) return { kind: 'lost', code: lost.code, message: lost.message };
      }
      return attend(job, work, folder, signal);
    },
  };
}

/** SIGTERM, a time to tidy up, SIGKILL: to the whole group. */
async function endGroup(folder: string): Promise<void> {
  const process = await findProcess(folder);
  if (process === undefined) return;
  signalGroup(process.pid, 'SIGTERM');
  const gone = watchExit(folder, AbortSignal.timeout(graceMs)).catch(() => undefined);
  await gone;
  signalGroup(process.pid, 'SIGKILL'); // what the command started and did not end
}

/** Keeps the log and the record of the end; inputs, code and temporary files are only copies. */
async function tidy(folder: string): Promise<void> {
  await Promise.all(
    ['code', 'inputs', 'outputs', 'tmp'].map((name) => rm(join(folder, name), { recursive: true, force: true })),
  );
}

async function lastLines(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - tailBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString('utf8').trim().split('\n').slice(-5).join(' | ');
  } finally {
    await file.close();
  }
}
