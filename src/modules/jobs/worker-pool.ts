import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { WorkerAnswer, WorkerTaskName } from '#contracts/worker';
import { AppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { packagePath } from '#platform/package-path';
import type { Json } from './job-types.ts';

/**
 * Worker processes on this host. None starts before its first task; one that has been idle for a minute ends. A worker
 * that dies (a corrupt file may kill DuckDB) fails its own tasks only; the next task starts a new one.
 */
export interface WorkerPool {
  /** @throws the task's own AppError, WORKER_DIED, or the signal's reason when cancelled */
  run(task: WorkerTaskName, input: Json, signal?: AbortSignal): Promise<Json>;
  stop(): Promise<void>;
}

export interface WorkerPoolOptions {
  readonly logger: Logger;
  readonly processes: number;
  /** Tasks at once in one process. */
  readonly tasksPerProcess: number;
  /** Command line after `node <worker program>`. */
  readonly arguments: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly idleMs?: number;
}

interface Task {
  readonly id: string;
  readonly line: string;
  readonly resolve: (output: Json) => void;
  readonly reject: (error: unknown) => void;
}

interface Worker {
  readonly process: ChildProcess;
  readonly tasks: Map<string, Task>;
  idleTimer?: NodeJS.Timeout;
}

const program = packagePath('dist', 'program', 'worker.js');
const defaultIdleMs = 60_000;
const stopGraceMs = 5_000;

export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  const workers = new Set<Worker>();
  const waiting: Task[] = [];
  let lastId = 0;
  let stopped = false;

  function startWorker(): Worker {
    const child = spawn(process.execPath, [program, ...options.arguments], {
      // none of our own flags: those keep an idle server small, and a worker is to be fast
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.environment,
      detached: process.platform === 'linux', // a session of its own, which it ranks behind the planes; it ends with its input
    });
    const worker: Worker = { process: child, tasks: new Map() };
    workers.add(worker);
    createInterface({ input: child.stdout }).on('line', (line) => receive(worker, line));
    createInterface({ input: child.stderr }).on('line', (line) => options.logger.warn({ worker: child.pid }, line));
    child.stdin.on('error', () => undefined); // its death is handled by 'exit'
    child.on('error', (error) => lose(worker, error.message));
    child.on('exit', (code, signal) => lose(worker, `it ended with ${signal ?? `exit code ${code}`}`));
    return worker;
  }

  function receive(worker: Worker, line: string): void {
    const answer = JSON.parse(line) as WorkerAnswer;
    const task = worker.tasks.get(answer.id);
    if (task === undefined) return;
    worker.tasks.delete(answer.id);
    if (answer.ok) task.resolve(answer.output as Json);
    else
      task.reject(
        new AppError(answer.error.code, answer.error.kind, answer.error.message, { details: answer.error.details }),
      );
    if (worker.tasks.size === 0) armIdleTimer(worker);
    dispatch();
  }

  function lose(worker: Worker, reason: string): void {
    if (!workers.delete(worker)) return;
    clearTimeout(worker.idleTimer);
    for (const task of worker.tasks.values())
      task.reject(new AppError('WORKER_DIED', 'unavailable', `the worker process died during the task: ${reason}`));
    worker.tasks.clear();
    if (!stopped) dispatch();
  }

  function armIdleTimer(worker: Worker): void {
    clearTimeout(worker.idleTimer);
    worker.idleTimer = setTimeout(() => worker.process.stdin?.end(), options.idleMs ?? defaultIdleMs);
    worker.idleTimer.unref();
  }

  function dispatch(): void {
    while (waiting.length > 0) {
      const worker = freestWorker();
      const task = worker && waiting.shift();
      if (task === undefined) return;
      clearTimeout(worker?.idleTimer);
      worker?.tasks.set(task.id, task);
      worker?.process.stdin?.write(task.line);
    }
  }

  function freestWorker(): Worker | undefined {
    const free = [...workers]
      .filter(({ process: child, tasks }) => tasks.size < options.tasksPerProcess && child.stdin?.writable === true)
      .toSorted((a, b) => a.tasks.size - b.tasks.size)[0];
    if (free !== undefined && (free.tasks.size === 0 || workers.size >= options.processes)) return free;
    return workers.size < options.processes ? startWorker() : free;
  }

  return {
    run(task, input, signal) {
      if (stopped) return Promise.reject(new AppError('WORKER_STOPPED', 'unavailable', 'the server is stopping'));
      signal?.throwIfAborted();
      lastId += 1;
      const id = String(lastId);
      return new Promise((resolve, reject) => {
        const entry: Task = {
          id,
          line: `${JSON.stringify({ id, task, input })}\n`,
          resolve,
          reject,
        };
        signal?.addEventListener('abort', () => cancel(entry, signal), { once: true });
        waiting.push(entry);
        dispatch();
      });
    },
    async stop() {
      stopped = true;
      const ends = [...workers].map(({ process: child }) => endOf(child));
      for (const task of waiting.splice(0))
        task.reject(new AppError('WORKER_STOPPED', 'unavailable', 'the server is stopping'));
      await Promise.all(ends);
    },
  };

  function cancel(task: Task, signal: AbortSignal): void {
    const at = waiting.indexOf(task);
    if (at >= 0) waiting.splice(at, 1);
    else
      for (const worker of workers)
        if (worker.tasks.has(task.id))
          worker.process.stdin?.write(`${JSON.stringify({ id: task.id, cancel: true })}\n`);
    task.reject(signal.reason);
  }
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.stdin?.end();
  });
}
