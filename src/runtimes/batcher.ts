import { emptyData, type ModelSignature, rowsOf, type Tensor, type TensorData } from '#contracts/tensor';
import type { LoadedModel } from './runtime.ts';
import { runtimeErrors } from './runtime-errors.ts';

export interface BatchLimits {
  /** Rows that waiting requests are put together to; 1 = each by itself. */
  readonly maxRows: number;
  /** Requests that may wait. */
  readonly maxQueued: number;
  /** How long one may wait before it is given up. */
  readonly timeoutMs: number;
}

/** What a request says of its own waiting. */
export interface RunTerms {
  /** On the scale of performance.now(): not run after that. DEADLINE_PASSED. */
  readonly deadlineMs?: number;
  /** The client is gone: not run. REQUEST_ABANDONED. */
  readonly signal?: Pick<AbortSignal, 'aborted'>;
  /** 1 is the highest. */
  readonly priority?: number;
}

export interface Batcher {
  /** `inputs` have passed `checkInputs`. All outputs of the signature. */
  predict(inputs: readonly Tensor[], terms?: RunTerms): Promise<readonly Tensor[]>;
  /** Requests accepted and not yet answered. */
  readonly pending: number;
  /** Resolves when none is pending. */
  idle(): Promise<void>;
}

interface Item {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  readonly shapeKey: string;
  readonly sinceMs: number;
  readonly terms: RunTerms;
  readonly resolve: (outputs: readonly Tensor[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Puts waiting requests for one model together: a batch is whatever came in while the one before it ran, or in the same
 * turn of the event loop. There is no timer, so a lone request never waits for company. Only models whose every input
 * and output has a free first dimension are batched, and only requests whose other dimensions agree. When a batch fails
 * its requests are run one by one, so that a bad row fails only its own request.
 */
export function createBatcher(model: LoadedModel, signature: ModelSignature, limits: BatchLimits): Batcher {
  const outputNames = signature.outputs.map(({ name }) => name);
  let together =
    limits.maxRows > 1 && [...signature.inputs, ...signature.outputs].every(({ shape }) => shape[0] === -1);
  const fixedTrailing = signature.inputs.every(({ shape }) => shape.every((d, index) => index === 0 || d >= 0));
  let queue: Item[] = [];
  let running = 0;
  let scheduled = false;
  let idlers: (() => void)[] = [];

  const shapeKeyOf = (inputs: readonly Tensor[]) =>
    fixedTrailing ? '' : inputs.map(({ shape }) => shape.slice(1).join('x')).join(';');

  function takeBatch(): readonly Item[] {
    const [first] = queue;
    if (first === undefined) return [];
    const batch = [first];
    const rest: Item[] = [];
    let rows = first.rows;
    for (const item of queue.slice(1)) {
      const fits = together && item.shapeKey === first.shapeKey && rows + item.rows <= limits.maxRows;
      (fits ? batch : rest).push(item);
      if (fits) rows += item.rows;
    }
    queue = rest;
    return batch;
  }

  function dropExpired(): void {
    const nowMs = performance.now();
    queue = queue.filter((item) => {
      const { sinceMs, terms } = item;
      if (terms.signal?.aborted === true) item.reject(runtimeErrors.REQUEST_ABANDONED());
      else if (terms.deadlineMs !== undefined && terms.deadlineMs <= nowMs)
        item.reject(runtimeErrors.DEADLINE_PASSED(Math.round(nowMs - sinceMs)));
      else if (nowMs - sinceMs > limits.timeoutMs) item.reject(runtimeErrors.MODEL_QUEUE_TIMEOUT(limits.timeoutMs));
      else return true;
      return false;
    });
  }

  function dispatch(): void {
    scheduled = false;
    if (running > 0) return;
    dropExpired();
    const batch = takeBatch();
    if (batch.length === 0) return;
    running = batch.length;
    void run(batch);
  }

  async function run(batch: readonly Item[]): Promise<void> {
    let settle: () => void;
    try {
      settle = await runTogether(batch);
    } catch (error) {
      settle = batch.length === 1 ? () => batch[0]?.reject(error) : await runApart(batch);
    }
    running = 0;
    if (queue.length > 0) dispatch(); // the thread works on the next batch while this one is answered
    settle();
    if (queue.length > 0 || running > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  async function runTogether(batch: readonly Item[]): Promise<() => void> {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) {
      const outputs = await model.predict(first.inputs, outputNames);
      return () => first.resolve(outputs);
    }
    const outputs = await model.predict(concatenate(batch.map(({ inputs }) => inputs)), outputNames);
    const total = batch.reduce((sum, { rows }) => sum + rows, 0);
    if (outputs.some((output) => output.shape.length === 0 || rowsOf(output) !== total)) {
      together = false; // it answers by the batch, whatever it declares
      return runApart(batch);
    }
    return () => {
      let row = 0;
      for (const item of batch) {
        const start = row;
        row += item.rows;
        item.resolve(outputs.map((output) => sliceRows(output, start, row)));
      }
    };
  }

  async function runApart(batch: readonly Item[]): Promise<() => void> {
    const settles: (() => void)[] = [];
    for (const item of batch) {
      try {
        const outputs = await model.predict(item.inputs, outputNames);
        settles.push(() => item.resolve(outputs));
      } catch (error) {
        settles.push(() => item.reject(error));
      }
    }
    return () => {
      for (const settle of settles) settle();
    };
  }

  return {
    predict(inputs, terms = {}) {
      if (queue.length >= limits.maxQueued) {
        dropExpired();
        if (queue.length >= limits.maxQueued) return Promise.reject(runtimeErrors.MODEL_QUEUE_FULL(queue.length));
      }
      return new Promise((resolve, reject) => {
        const rows = inputs[0] === undefined ? 1 : rowsOf(inputs[0]);
        queue.push({ inputs, rows, shapeKey: shapeKeyOf(inputs), sinceMs: performance.now(), terms, resolve, reject });
        if (scheduled || running > 0) return;
        scheduled = true;
        setImmediate(dispatch); // after the requests that this turn has still to read
      });
    },
    get pending() {
      return queue.length + running;
    },
    idle: () =>
      queue.length + running === 0 ? Promise.resolve() : new Promise((resolve) => void idlers.push(resolve)),
  };
}

function concatenate(requests: readonly (readonly Tensor[])[]): readonly Tensor[] {
  const [first] = requests;
  return (first ?? []).map((head, index) => {
    const parts = requests.map((inputs) => inputs[index] ?? head);
    const rows = parts.reduce((sum, part) => sum + rowsOf(part), 0);
    return { ...head, shape: [rows, ...head.shape.slice(1)], data: joinData(head, parts) };
  });
}

function joinData({ datatype }: Tensor, parts: readonly Tensor[]): TensorData {
  if (datatype === 'BYTES') return parts.flatMap(({ data }) => data as readonly string[]);
  const joined = emptyData(
    datatype,
    parts.reduce((sum, { data }) => sum + data.length, 0),
  );
  let at = 0;
  for (const { data } of parts) {
    (joined as Float64Array).set(data as Float64Array, at); // one datatype throughout: the arrays are of one kind
    at += data.length;
  }
  return joined;
}

function sliceRows(tensor: Tensor, start: number, end: number): Tensor {
  const total = rowsOf(tensor);
  const width = total === 0 ? 0 : tensor.data.length / total;
  const { data } = tensor;
  return {
    ...tensor,
    shape: [end - start, ...tensor.shape.slice(1)],
    data: ArrayBuffer.isView(data)
      ? (data as Float64Array).subarray(start * width, end * width)
      : data.slice(start * width, end * width),
  };
}
