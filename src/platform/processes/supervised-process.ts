import { spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { closeSync, type FSWatcher, mkdirSync, openSync, readFileSync, statSync, watch } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { defineErrors } from '../errors.ts';
import { isAlive, startTimeInStat, startTimeOf } from './process-identity.ts';

/**
 * A command under a POSIX `sh` wrapper in its own session, so that it outlives the process that started it and can be
 * adopted by the next. The wrapper needs nothing but builtins:
 *
 *   started   `<folder>/process`: the wrapper's own line of /proc/<pid>/stat (its pid where there is no /proc)
 *   running   output goes straight to the log file by descriptor
 *   ended     `<folder>/exit.json`, `{"status":N}`; when it ended is the file's time. A few bytes in one write of a
 *             builtin, so no program is started to rename it; what is not the whole line says nothing yet
 *   lost      no process and no whole exit.json: the wrapper itself was killed, or the machine went down
 */
const wrapper = `folder=$1
shift
trap : HUP INT QUIT TERM
stat=$$
if [ -r /proc/$$/stat ]; then read -r stat </proc/$$/stat; fi
printf '%s\\n' "$stat" >"$folder/process"
"$@"
status=$?
printf '{"status":%d}\\n' "$status" >"$folder/exit.json"`;

export const processErrors = defineErrors({
  PROCESS_NOT_STARTED: {
    kind: 'internal',
    message: (command: string, reason: string) => `"${command}" cannot be started: ${reason}`,
  },
});

export interface StartOptions {
  /** Program and arguments; never seen by a shell. */
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the process's record and exit are kept; made when absent, one process a folder. */
  readonly folder: string;
  /** Standard output and error, in order. Default `<folder>/output.log`, appended to. */
  readonly logFile?: string;
}

export interface StartedProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly folder: string;
}

/** A process that this one started. */
export interface OwnProcess extends StartedProcess {
  /** Resolves when the wrapper is gone, so that its folder says how it ended. */
  readonly gone: Promise<void>;
}

export type ProcessExit =
  | { readonly outcome: 'exited'; readonly code: number; readonly endedAtMs: number }
  | { readonly outcome: 'signalled'; readonly signal: NodeJS.Signals; readonly endedAtMs: number }
  | { readonly outcome: 'lost' };

/** The command under its wrapper: what is really executed. */
export function wrapCommand(folder: string, command: readonly string[]): readonly [string, ...string[]] {
  return ['/bin/sh', '-c', wrapper, 'tidemill-process', folder, ...command];
}

/**
 * Starts a command as leader of its own session and process group; resolves when it runs. The few small files are
 * written and read synchronously: that takes microseconds, where a trip through the thread pool costs more than the spawn.
 */
export async function startProcess(options: StartOptions): Promise<OwnProcess> {
  const { command, cwd, env, folder } = options;
  mkdirSync(folder, { recursive: true });
  const log = openSync(options.logFile ?? join(folder, 'output.log'), 'a');
  try {
    const [program, ...args] = wrapCommand(folder, command);
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', log, log] });
    child.unref();
    const { pid } = child;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // asked before anything is awaited: until then even a process that has ended is still there as our zombie's record
    const startTime = pid === undefined ? undefined : startTimeOf(pid);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) =>
        reject(processErrors.PROCESS_NOT_STARTED(command[0], `${error.message} in ${cwd}`)),
      );
    });
    if (pid === undefined) throw processErrors.PROCESS_NOT_STARTED(command[0], 'it has no pid');
    return { pid, startTime: startTime ?? 'ended', folder, gone };
  } finally {
    closeSync(log);
  }
}

/** The process that a folder belongs to, as its wrapper recorded it: for adoption after a restart. */
export async function findProcess(folder: string): Promise<StartedProcess | undefined> {
  return recordedProcess(folder);
}

/** How the folder's process ended; undefined while nothing says that it has. */
export async function readExit(folder: string): Promise<ProcessExit | undefined> {
  return readExitFile(join(folder, 'exit.json'));
}

/**
 * Waits for the end of a folder's process, own child or adopted. `lost` when it is gone without having said how, which
 * is noticed within a second, of an own child at once. Rejects with the signal's reason when aborted.
 * @param gone of an own child: it is waited for, and the folder is not watched
 */
export async function watchExit(folder: string, signal: AbortSignal, gone?: Promise<void>): Promise<ProcessExit> {
  signal.throwIfAborted();
  setMaxListeners(0, signal); // one shutdown signal is shared by every wait
  return await new Promise<ProcessExit>((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearInterval(poll);
      watcher?.close();
      signal.removeEventListener('abort', abort);
      settle();
    };
    const abort = () => finish(() => reject(signal.reason as Error));
    const check = () => {
      try {
        const exit = examine(folder);
        if (exit !== undefined) finish(() => resolve(exit));
      } catch (error) {
        finish(() => reject(error));
      }
    };
    signal.addEventListener('abort', abort, { once: true });
    let watcher: FSWatcher | undefined;
    let poll: NodeJS.Timeout | undefined;
    if (gone !== undefined) {
      gone.then(() => finish(() => resolve(lastWords(folder)))).catch((error: unknown) => finish(() => reject(error)));
      return;
    }
    watcher = watch(folder, (_event, name) => {
      if (name === null || name === 'exit.json') check();
    });
    poll = setInterval(check, pollMs); // some file systems do not tell, and a killed wrapper leaves no file
    watcher.on('error', () => undefined); // the poll goes on
    check();
  });
}

const pollMs = 1_000;

function examine(folder: string): ProcessExit | undefined {
  const exit = readExitFile(join(folder, 'exit.json'));
  if (exit !== undefined) return exit;
  const started = recordedProcess(folder);
  if (started !== undefined && isAlive(started.pid, started.startTime)) return undefined;
  if (started === undefined && isYoung(folder)) return undefined; // started, the wrapper is not there yet
  return lastWords(folder);
}

/** Of a process seen dead: it has written what it will ever write, so that this answer stands. */
function lastWords(folder: string): ProcessExit {
  return readExitFile(join(folder, 'exit.json')) ?? { outcome: 'lost' };
}

function recordedProcess(folder: string): StartedProcess | undefined {
  const recorded = readOrNothing(join(folder, 'process'));
  const pid = Number.parseInt(recorded ?? '', 10);
  if (recorded === undefined || Number.isNaN(pid)) return undefined;
  const startTime = recorded.includes(')') ? startTimeInStat(recorded) : startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, folder };
}

const startingMs = 5_000;

function isYoung(folder: string): boolean {
  return Date.now() - statSync(folder).mtimeMs < startingMs;
}

/** Sends a signal to every process of the group; false when there is none any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

function readExitFile(path: string): ProcessExit | undefined {
  const text = readOrNothing(path);
  const status = /^\{"status":(\d+)\}\n$/.exec(text ?? '')?.[1];
  if (status === undefined) return undefined;
  const endedAtMs = Math.trunc(statSync(path).mtimeMs);
  const code = Number(status);
  const signal = signalOf(code);
  return signal === undefined ? { outcome: 'exited', code, endedAtMs } : { outcome: 'signalled', signal, endedAtMs };
}

/** A shell reports death by signal n as 128 + n; a command that exits with such a code itself looks the same. */
function signalOf(status: number): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return names.find(([, number]) => number === status - 128)?.[0];
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
