import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packagePath } from '../package-path.ts';
import type { LauncherAnswer, LauncherRequest } from './launcher-lines.ts';
import { processErrors, type StartOptions, startProcess, watchExit, wrapCommand } from './supervised-process.ts';

/**
 * Starts supervised processes through a small process. Node.js forks itself to start anything, which stands still until
 * the new program runs: in a large process that is 2 ms for each 100 MB, so the server lets a small one do it.
 *
 *   absent ──start──► starting ──ready──► ready ──idle, or it dies──► absent
 *
 * Only a ready launcher is used; until then, and wherever there is none, processes are started directly. Nothing hangs
 * on it: what it has started has its own session and wrapper, and is found by its folder when the launcher dies.
 */
export interface ProcessLauncher {
  /** @returns `gone`, resolves when the process is, so that its folder says how it ended. */
  start(options: StartOptions): Promise<{ readonly gone: Promise<void> }>;
  /** Ends the launcher; what it has started goes on. */
  stop(): Promise<void>;
}

interface Launched {
  readonly options: StartOptions;
  readonly started: (error?: Error) => void;
  readonly gone: () => void;
}

interface Helper {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  readonly launched: Map<number, Launched>;
  ready: boolean;
}

const program = packagePath('dist', 'program', 'launcher.js');
const defaultIdleMs = 60_000;

export function createProcessLauncher(given: { readonly idleMs?: number } = {}): ProcessLauncher {
  const stopping = new AbortController();
  let helper: Helper | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  let lastId = 0;

  function startHelper(): Helper {
    // in its own session, so that what a terminal sends to the server's group leaves it alone
    const child = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'pipe', 'ignore'], env: {} });
    const launched = new Map<number, Launched>();
    const exited = new Promise<void>((resolve) => {
      const lose = (): void => {
        if (helper?.process === child) helper = undefined;
        for (const one of launched.values()) watchLost(one);
        launched.clear();
        resolve();
      };
      child.once('error', lose);
      child.once('exit', lose);
    });
    const made: Helper = { process: child, exited, launched, ready: false };
    child.stdin.on('error', () => undefined); // its death is handled by 'exit'
    createInterface({ input: child.stdout }).on('line', (line) => receive(made, JSON.parse(line) as LauncherAnswer));
    return made;
  }

  function receive(from: Helper, answer: LauncherAnswer): void {
    if (answer.event === 'ready') {
      from.ready = true;
      return restUnlessBusy();
    }
    const one = from.launched.get(answer.id);
    if (answer.event === 'started') return one?.started();
    from.launched.delete(answer.id);
    restUnlessBusy();
    if (answer.event === 'gone') return one?.gone();
    one?.started(processErrors.PROCESS_NOT_STARTED(one.options.command[0], `${answer.reason} in ${one.options.cwd}`));
  }

  /** The launcher died: whether the process runs, and when it ends, its folder tells, as after a restart. */
  function watchLost({ options, started, gone }: Launched): void {
    started();
    watchExit(options.folder, stopping.signal).then(gone, () => undefined);
  }

  function restUnlessBusy(): void {
    clearTimeout(idleTimer);
    if (helper === undefined || helper.launched.size > 0) return;
    idleTimer = setTimeout(dismiss, given.idleMs ?? defaultIdleMs);
    idleTimer.unref();
  }

  function dismiss(): void {
    helper?.process.stdin?.end();
    helper = undefined;
  }

  async function launch(by: Helper, options: StartOptions): Promise<{ readonly gone: Promise<void> }> {
    const { command, cwd, env, folder } = options;
    mkdirSync(folder, { recursive: true });
    clearTimeout(idleTimer);
    lastId += 1;
    const request: LauncherRequest = {
      id: lastId,
      command: wrapCommand(folder, command),
      cwd,
      env,
      logFile: options.logFile ?? join(folder, 'output.log'),
    };
    return await new Promise((resolve, reject) => {
      const gone = new Promise<void>((tellGone) => {
        by.launched.set(request.id, {
          options,
          started: (error) => (error === undefined ? resolve({ gone }) : reject(error)),
          gone: tellGone,
        });
      });
      by.process.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  return {
    async start(options) {
      if (stopping.signal.aborted) return await startProcess(options);
      helper ??= startHelper();
      return helper.ready ? await launch(helper, options) : await startProcess(options);
    },
    async stop() {
      stopping.abort();
      clearTimeout(idleTimer);
      const last = helper;
      dismiss();
      await last?.exited;
    },
  };
}
