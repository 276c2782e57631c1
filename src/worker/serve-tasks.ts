import { Ajv } from 'ajv';
import type { WorkerAnswer } from '#contracts/worker';
import { WorkerRequest } from '#contracts/worker';
import { formatJsonLine } from '#platform/json-lines';
import type { Logger } from '#platform/log';
import type { Databases } from './databases.ts';
import { toAppError } from './duckdb-error.ts';
import type { RunTask } from './tasks.ts';
import { workerErrors } from './worker-errors.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Requests in, answers out; the protocol is written at `WorkerRequest` in `#contracts/worker`. */
export interface TaskServer {
  /** Takes one line of the parent's. A line that is no request is logged: there is no id to answer to. */
  receive(line: string): void;
  /** Cancels everything and resolves when nothing runs any more. */
  stop(): Promise<void>;
}

interface Entry {
  readonly id: string;
  readonly task: string;
  readonly input: unknown;
  readonly abort: AbortController;
}

export function createTaskServer(deps: {
  readonly run: RunTask;
  readonly settings: WorkerSettings;
  readonly databases: Databases;
  readonly logger: Logger;
  readonly write: (line: string) => void;
}): TaskServer {
  const { run, settings, databases, logger } = deps;
  const isRequest = new Ajv({ strict: false }).compile<WorkerRequest>(WorkerRequest);
  const waiting: Entry[] = [];
  const running = new Map<string, { readonly entry: Entry; readonly done: Promise<void> }>();

  const answer = (message: WorkerAnswer): void => deps.write(formatJsonLine(message));
  const fail = (id: string, error: unknown): void => {
    const { code, kind, message, details, cause } = toAppError(error);
    if (kind === 'internal') logger.error({ id, err: cause ?? error }, message);
    answer({ id, ok: false, error: { code, kind, message, ...(details !== undefined && { details }) } });
  };

  function startNext(): void {
    const entry = running.size < settings.tasks ? waiting.shift() : undefined;
    if (entry === undefined) return;
    // Registered before it runs: a task asks for its share of the memory when it opens its database.
    const done = Promise.resolve().then(() => execute(entry));
    running.set(entry.id, { entry, done });
    startNext();
  }

  async function execute({ id, task, input, abort }: Entry): Promise<void> {
    try {
      const output = await run(task, input, {
        signal: abort.signal,
        logger,
        databases,
        memoryMb: () => Math.max(minimumMb, Math.floor(settings.memoryMb / running.size)),
        spillFolder: settings.spillFolder,
      });
      answer({ id, ok: true, output });
    } catch (error) {
      fail(id, error);
    } finally {
      running.delete(id);
      startNext();
      if (running.size === 0) databases.prepare(); // not before the first task: an idle worker stays small
    }
  }

  function cancel(id: string): void {
    const place = waiting.findIndex((entry) => entry.id === id);
    const [entry] = place < 0 ? [] : waiting.splice(place, 1);
    if (entry !== undefined) fail(id, workerErrors.TASK_CANCELLED(entry.task));
    const found = running.get(id)?.entry;
    found?.abort.abort(workerErrors.TASK_CANCELLED(found.task));
  }

  return {
    receive(line) {
      const request = parse(line);
      if (!isRequest(request)) {
        logger.error({ line: line.slice(0, 200) }, 'a line from the parent is no request');
        return;
      }
      if ('cancel' in request) return cancel(request.id);
      if (running.has(request.id) || waiting.some(({ id }) => id === request.id))
        return fail(request.id, workerErrors.TASK_INPUT_INVALID(request.task, `the id "${request.id}" is in use`));
      waiting.push({ ...request, abort: new AbortController() });
      startNext();
    },
    async stop() {
      while (waiting[0] !== undefined) cancel(waiting[0].id);
      const tasks = [...running.values()];
      for (const { entry } of tasks) cancel(entry.id);
      await Promise.all(tasks.map(({ done }) => done));
      await databases.close();
    },
  };
}

/** DuckDB starts with less, but cannot sort with it. */
const minimumMb = 64;

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
