import { type ModelSignature, rowsOf, type Tensor } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import { concatenate, sliceRows } from './batch-tensors.ts';
import type { LoadedModel } from './runtime.ts';
import { runtimeErrors } from './runtime-errors.ts';
import { createWaitingQueue, type RunTerms, type Waiting } from './waiting-queue.ts';

export type { RunTerms } from './waiting-queue.ts';

export interface BatchLimits {
  /** Rows that waiting requests are put together to; 1 = each by itself. */
  readonly maxRows: number;
  /** How long the oldest may wait for company while there are fewer rows than `maxRows`; default 0: it never does. */
  readonly maxDelayMs?: number;
  /** Requests that may wait. */
  readonly maxQueued: number;
  /** How long one may wait before it is given up. */
  readonly timeoutMs: number;
  /** Runs at the same time, where the model can do several; default: as many as it can. */
  readonly maxConcurrent?: number;
}

/** One run of the model, which several requests may share; on the scale of performance.now(). */
export interface BatchRun {
  /** When it left the queue. */
  readonly takenMs: number;
  readonly inferFromMs: number;
  readonly inferToMs: number;
  /** Of all requests in it. */
  readonly rows: number;
  /** Whether this request is the one that stands for the run, so that runs can be counted. */
  readonly isFirst: boolean;
  /** One and the same object for requests that shared it; absent where it was made for one alone. */
  readonly shared?: object;
}

export interface BatchAnswer {
  /** All outputs of the signature. They may be views of the whole batch's memory. */
  readonly outputs: readonly Tensor[];
  readonly run: BatchRun;
}

export interface Batcher {
  /**
   * `inputs` have passed `checkInputs`. MODEL_QUEUE_FULL, MODEL_QUEUE_TIMEOUT, DEADLINE_PASSED and REQUEST_ABANDONED are
   * those that were not run.
   */
  predict(inputs: readonly Tensor[], terms?: RunTerms): Promise<BatchAnswer>;
  /** Requests accepted and not yet answered. */
  readonly pending: number;
  /** Resolves when none is pending. */
  idle(): Promise<void>;
}

interface Item extends Waiting {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  /** Of requests that may run together. */
  readonly key: string;
  readonly resolve: (answer: BatchAnswer) => void;
}

const noTerms: RunTerms = {};
/** How soon a deadline or a client that left is noticed while the model is busy. */
const sweepMs = 100;

/**
 * Puts waiting requests for one model together. By default there is no timer: a batch is whatever came in while the one
 * before it ran, or in the same turn of the event loop, so a lone request never waits for company. There is one batcher a
 * revision; only models whose every input and output has a free first dimension are batched, and only requests whose
 * other dimensions and parameters agree. A batch that fails is halved until the bad rows are alone, so that they fail
 * only their own request. A model that can do several runs at a time gets them (`LoadedModel.parallelism`).
 */
export function createBatcher(model: LoadedModel, signature: ModelSignature, limits: BatchLimits): Batcher {
  const outputNames = signature.outputs.map(({ name }) => name);
  const keyOf = createKey(signature, model.takesParameters === true);
  let together =
    limits.maxRows > 1 && [...signature.inputs, ...signature.outputs].every(({ shape }) => shape[0] === -1);
  const queue = createWaitingQueue<Item>();
  let runs = 0;
  let running = 0;
  let scheduled = false;
  let delayTimer: NodeJS.Timeout | undefined;
  let sweepTimer: NodeJS.Timeout | undefined;
  let idlers: (() => void)[] = [];

  /** How long the queue is to be left alone still. */
  function remainingDelayMs(nowMs: number): number {
    const { maxDelayMs = 0 } = limits;
    if (maxDelayMs === 0 || !together || queue.sum(({ rows }) => rows) >= limits.maxRows) return 0;
    return Math.max(0, (queue.oldestMs() ?? nowMs) + maxDelayMs - nowMs);
  }

  function takeBatch(nowMs: number): readonly Item[] {
    let rows = 0;
    return queue.take(nowMs, limits.timeoutMs, (item, first) => {
      if (!together || item.key !== first.key) return false;
      rows ||= first.rows;
      if (rows + item.rows > limits.maxRows) return false;
      rows += item.rows;
      return true;
    });
  }

  function dispatch(): void {
    scheduled = false;
    const atOnce = Math.max(1, Math.min(model.parallelism ?? 1, limits.maxConcurrent ?? Number.POSITIVE_INFINITY));
    while (runs < atOnce && queue.length > 0) {
      const nowMs = performance.now();
      const delayMs = remainingDelayMs(nowMs);
      if (delayMs > 0) {
        delayTimer ??= setTimeout(() => {
          delayTimer = undefined;
          dispatch();
        }, delayMs);
        return;
      }
      const batch = takeBatch(nowMs);
      if (batch.length > 0) void run(batch, nowMs);
    }
    if (queue.length > 0) sweepTimer ??= setTimeout(sweep, sweepMs).unref();
    else tellIdle();
  }

  /** While a long run keeps the queue, those who need not wait any more make room. */
  function sweep(): void {
    sweepTimer = undefined;
    queue.sweep(performance.now(), limits.timeoutMs);
    if (queue.length > 0) sweepTimer = setTimeout(sweep, sweepMs).unref();
    else tellIdle();
  }

  function tellIdle(): void {
    if (queue.length + running > 0 || idlers.length === 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  async function run(batch: readonly Item[], takenMs: number): Promise<void> {
    runs += 1;
    running += batch.length;
    const settle = await attempt(batch, takenMs);
    runs -= 1;
    running -= batch.length;
    if (queue.length > 0) dispatch(); // the model works on the next batch while this one is answered
    settle();
    tellIdle();
  }

  /** `joined` is called when the rows had to be put together first, which is none of the model's work. */
  function predict(batch: readonly Item[], first: Item, joined: () => void): Promise<readonly Tensor[]> {
    const { parameters } = first.terms;
    if (batch.length === 1) return model.predict(first.inputs, outputNames, parameters);
    const requests = batch.map(({ inputs }) => inputs);
    if (model.predictTogether !== undefined) return model.predictTogether(requests, outputNames, parameters);
    const inputs = concatenate(requests);
    joined();
    return model.predict(inputs, outputNames, parameters);
  }

  /** Never throws: what is returned answers all of the batch. */
  async function attempt(batch: readonly Item[], takenMs: number): Promise<() => void> {
    const [first] = batch;
    if (first === undefined) return () => undefined;
    let inferFromMs = takenMs;
    try {
      const outputs = await predict(batch, first, () => (inferFromMs = performance.now()));
      const inferToMs = performance.now();
      if (batch.length === 1)
        return () =>
          first.resolve({ outputs, run: { takenMs, inferFromMs, inferToMs, rows: first.rows, isFirst: true } });
      const total = batch.reduce((sum, { rows }) => sum + rows, 0);
      if (outputs.some((output) => output.shape.length === 0 || rowsOf(output) !== total)) {
        together = false; // it answers by the batch, whatever it declares
        return await apart(batch.map((item) => [item]));
      }
      return () => hand(batch, outputs, { takenMs, inferFromMs, inferToMs, rows: total });
    } catch (error) {
      // What the model says of its rows is looked into; that it could not run at all holds for all of them.
      if (batch.length > 1 && (isAppError(error, 'MODEL_RUN_FAILED') || isAppError(error, 'INPUT_INVALID'))) {
        const middle = batch.length >> 1;
        return apart([batch.slice(0, middle), batch.slice(middle)]);
      }
      return () => {
        for (const item of batch) item.reject(error);
      };
    }
  }

  /** One part after the other, each answered when it is done. */
  async function apart(parts: readonly (readonly Item[])[]): Promise<() => void> {
    for (const part of parts) (await attempt(part, performance.now()))();
    return () => undefined;
  }

  return {
    predict(inputs, terms = noTerms) {
      if (queue.length >= limits.maxQueued) {
        queue.sweep(performance.now(), limits.timeoutMs);
        if (queue.length >= limits.maxQueued) return Promise.reject(runtimeErrors.MODEL_QUEUE_FULL(queue.length));
      }
      return new Promise((resolve, reject) => {
        const rows = inputs[0] === undefined ? 1 : rowsOf(inputs[0]);
        queue.push({ inputs, rows, key: keyOf(inputs, terms), sinceMs: performance.now(), terms, resolve, reject });
        if (scheduled || delayTimer !== undefined) {
          if (delayTimer === undefined || remainingDelayMs(performance.now()) > 0) return;
          clearTimeout(delayTimer); // the batch is full
          delayTimer = undefined;
        }
        if (runs === 0 || (model.parallelism ?? 1) > runs) {
          scheduled = true;
          setImmediate(dispatch); // after the requests that this turn has still to read
        } else sweepTimer ??= setTimeout(sweep, sweepMs).unref();
      });
    },
    get pending() {
      return queue.length + running;
    },
    idle: () =>
      queue.length + running === 0 ? Promise.resolve() : new Promise((resolve) => void idlers.push(resolve)),
  };
}

function hand(batch: readonly Item[], outputs: readonly Tensor[], run: Omit<BatchRun, 'isFirst'>): void {
  const { takenMs, inferFromMs, inferToMs, rows } = run; // a spread with fields behind it is slow in V8, once a request
  const firstRun: BatchRun = { takenMs, inferFromMs, inferToMs, rows, isFirst: true, shared: batch };
  const otherRun: BatchRun = { takenMs, inferFromMs, inferToMs, rows, isFirst: false, shared: batch };
  let row = 0;
  for (const item of batch) {
    const start = row;
    row += item.rows;
    item.resolve({
      outputs: outputs.map((output) => sliceRows(output, start, row)),
      run: item === batch[0] ? firstRun : otherRun,
    });
  }
}

/** Names, datatypes and fixed dimensions are the signature's; what may differ beside them makes the key. */
function createKey(signature: ModelSignature, takesParameters: boolean) {
  const isFixed = signature.inputs.every(({ shape }) => shape.every((d, index) => index === 0 || d >= 0));
  return (inputs: readonly Tensor[], { parameters }: RunTerms): string => {
    const shapes = isFixed ? '' : inputs.map(({ shape }) => shape.slice(1).join('x')).join(';');
    return takesParameters && parameters !== undefined ? `${shapes} ${printParameters(parameters)}` : shapes;
  };
}

function printParameters(parameters: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(parameters, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}
