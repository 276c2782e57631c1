import { readFileSync } from 'node:fs';
import type { Tensor } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { runtimeErrors } from '../runtime-errors.ts';
import type { LoadedInWorker, WorkerProcess, WorkerRequest } from './worker-process.ts';

export interface WorkerPoolLimits {
  /** Processes that hold the model; default 1. */
  readonly count?: number;
  /** Resident memory of one process; it is replaced when it takes more. Default: no limit. */
  readonly maxMemoryBytes?: number;
  /** A process is replaced after so many requests, by one that is ready; default: never. */
  readonly recycleAfter?: number;
  /** How long a model may take to load; default 2 minutes. */
  readonly loadTimeoutMs?: number;
  /** How long one run may take before its process is replaced; default 1 minute. */
  readonly runTimeoutMs?: number;
}

export interface WorkerPool {
  readonly loaded: LoadedInWorker;
  /** Resident memory of all processes. */
  readonly memoryBytes: number;
  /** MODEL_WORKER_LOST when the process ended before it answered, or none can be had. */
  predict(request: WorkerRequest): Promise<readonly Tensor[]>;
  stop(): Promise<void>;
}

/** What a process has in its hands: while it works on one request the next one is there already. */
export const requestsInFlight = 2;

const firstBackOffMs = 100;
const longestBackOffMs = 30_000;
/** A process that has lived so long did not die of its start. */
const steadyMs = 30_000;
/** Starts in a row that may fail before requests are refused at once. */
const hopelessAfter = 3;
const watchEveryMs = 250;

/**
 * A place for one process. A process that goes is followed by another, at once the first time, then after a growing
 * pause; one that is to be replaced goes on answering until the new one is ready:
 *
 *   empty ──► starting ──(ready)──► serving ──(recycled: next is starting)──► serving
 *     ▲          └──(failed)──┐        └──(died)──┐
 *     └───────── back-off ◄───┴───────────────────┘
 */
interface Place {
  serving: WorkerProcess | undefined;
  next: WorkerProcess | undefined;
  readySinceMs: number;
  /** Deaths and failed starts since one last lived for a while. */
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

interface Queued {
  readonly request: WorkerRequest;
  readonly sinceMs: number;
  readonly resolve: (outputs: readonly Tensor[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts the processes of one model and resolves when all of them are ready. MODEL_LOAD_FAILED. */
export async function startWorkerPool(options: {
  readonly start: (spent: (worker: WorkerProcess) => void) => WorkerProcess;
  readonly limits: WorkerPoolLimits;
  readonly logger: Logger;
}): Promise<WorkerPool> {
  const { start, limits, logger } = options;
  const { count = 1, maxMemoryBytes, recycleAfter = Number.POSITIVE_INFINITY, runTimeoutMs = 60_000 } = limits;
  const places = Array.from(
    { length: count },
    (): Place => ({ serving: undefined, next: undefined, readySinceMs: 0, failures: 0, timer: undefined }),
  );
  let queue: Queued[] = [];
  let stopped = false;
  let lastFailure = '';

  async function fill(place: Place): Promise<LoadedInWorker> {
    const worker = start((spent) => renew(place, spent));
    place.next = worker;
    void worker.gone.then((reason) => onGone(place, worker, reason));
    try {
      const loaded = await worker.ready;
      const before = place.serving;
      place.next = undefined;
      if (stopped) void worker.stop();
      else {
        place.serving = worker;
        place.readySinceMs = performance.now();
        void before?.stop();
        pump();
      }
      return loaded;
    } catch (error) {
      place.next = undefined;
      lastFailure = isAppError(error) ? error.message : String(error);
      throw error;
    }
  }

  function onGone(place: Place, worker: WorkerProcess, reason: string): void {
    if (stopped || place.serving !== worker) return; // replaced, or never ready: `refill` hears of that
    logger.warn({ pid: worker.pid, reason }, 'the process of a model ended and is replaced');
    place.serving = undefined;
    lastFailure = reason;
    if (performance.now() - place.readySinceMs > steadyMs) place.failures = 0;
    refill(place);
  }

  /** Starts a process for an empty place, after a pause that grows with each failure. */
  function refill(place: Place): void {
    if (stopped || place.next !== undefined) return;
    const pauseMs = place.failures === 0 ? 0 : Math.min(longestBackOffMs, firstBackOffMs * 2 ** place.failures);
    place.failures += 1;
    place.timer = setTimeout(() => {
      fill(place).catch((error: unknown) => {
        if (stopped) return;
        logger.warn({ err: error, attempt: place.failures }, 'a process could not load its model again');
        if (isHopeless()) rejectQueue();
        if (place.serving === undefined) refill(place);
      });
    }, pauseMs);
  }

  /** Has a process that still answers replaced. */
  function renew(place: Place, worker: WorkerProcess): void {
    if (stopped || place.serving !== worker || place.next !== undefined) return;
    fill(place).catch((error: unknown) => {
      if (!stopped) logger.warn({ err: error }, 'a process of a model could not be renewed; the one before goes on');
      if (place.serving === undefined) refill(place);
    });
  }

  const isHopeless = (): boolean =>
    places.every(({ serving, failures }) => serving === undefined && failures > hopelessAfter);

  function rejectQueue(): void {
    const refused = queue;
    queue = [];
    for (const { reject } of refused) reject(runtimeErrors.MODEL_WORKER_LOST(lastFailure));
  }

  /** The process with the least to do that can take one more. */
  function findFree(): Place | undefined {
    let best: Place | undefined;
    for (const place of places) {
      const { serving } = place;
      if (serving === undefined || serving.inFlight >= requestsInFlight) continue;
      if (best?.serving === undefined || serving.inFlight < best.serving.inFlight) best = place;
    }
    return best;
  }

  function pump(): void {
    for (let place = findFree(); place !== undefined && queue.length > 0; place = findFree()) {
      const item = queue.shift();
      if (item !== undefined) run(place, item.request).then(item.resolve, item.reject);
    }
  }

  async function run(place: Place, request: WorkerRequest): Promise<readonly Tensor[]> {
    const worker = place.serving;
    if (worker === undefined) throw runtimeErrors.MODEL_WORKER_LOST(lastFailure);
    try {
      return await worker.predict(request);
    } finally {
      if (worker.answered >= recycleAfter) renew(place, worker);
      if (queue.length > 0) pump();
    }
  }

  /** Looks after what no event tells: memory that grows, a run that does not end, requests that wait for a process. */
  function watch(): void {
    const nowMs = performance.now();
    for (const worker of places.flatMap(({ serving, next }) => [serving, next])) {
      if (worker === undefined) continue;
      const { busySinceMs } = worker;
      if (busySinceMs !== undefined && nowMs - busySinceMs > runTimeoutMs)
        worker.kill(`it did not answer within ${runTimeoutMs / 1000} s`);
      const usedBytes = maxMemoryBytes === undefined ? 0 : residentBytes(worker.pid);
      if (maxMemoryBytes !== undefined && usedBytes > maxMemoryBytes)
        worker.kill(`it used ${toMib(usedBytes)} MiB of memory, ${toMib(maxMemoryBytes)} are allowed`);
    }
    const late = queue.filter(({ sinceMs }) => nowMs - sinceMs > runTimeoutMs);
    if (late.length === 0) return;
    queue = queue.filter((item) => !late.includes(item));
    for (const { reject } of late) reject(runtimeErrors.MODEL_WORKER_LOST(lastFailure));
  }

  async function stop(): Promise<void> {
    stopped = true;
    clearInterval(watcher);
    rejectQueue();
    await Promise.all(
      places.map(async ({ serving, next, timer }) => {
        clearTimeout(timer);
        next?.kill('its model was unloaded');
        await serving?.stop();
      }),
    );
  }

  const watcher = setInterval(watch, watchEveryMs);
  watcher.unref();
  try {
    const [loaded] = await Promise.all(places.map(fill));
    if (loaded === undefined) throw runtimeErrors.MODEL_LOAD_FAILED('a model needs one process at least');
    return {
      loaded,
      get memoryBytes() {
        return places.reduce((sum, { serving }) => sum + residentBytes(serving?.pid), 0);
      },
      predict(request) {
        const free = queue.length === 0 ? findFree() : undefined;
        if (free !== undefined) return run(free, request);
        if (isHopeless()) return Promise.reject(runtimeErrors.MODEL_WORKER_LOST(lastFailure));
        return new Promise((resolve, reject) => {
          queue.push({ request, sinceMs: performance.now(), resolve, reject });
        });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const toMib = (sizeBytes: number): number => Math.round(sizeBytes / 2 ** 20);

/** 0 where the system does not tell (it has no /proc) or the process is gone. */
function residentBytes(pid: number | undefined): number {
  if (pid === undefined) return 0;
  try {
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
