import { EventEmitter, once } from 'node:events';
import { afterAll, expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { createBatcher } from './batcher.ts';
import { createOnnxRuntime } from './onnx.ts';
import type { LoadedModel } from './runtime.ts';
import { runtimeErrors } from './runtime-errors.ts';
import { fixture } from './testing/runtime-contract.ts';

const runtime = createOnnxRuntime();
afterAll(() => runtime.close());
const limits = { maxRows: 64, maxQueued: 100, timeoutMs: 10_000 };
const index = (...values: number[]): Tensor[] => [
  { name: 'index', datatype: 'INT64', shape: [values.length], data: BigInt64Array.from(values.map(BigInt)) },
];

const row = (carrier: string): Tensor[] => [
  { name: 'carrier', datatype: 'BYTES', shape: [1, 1], data: [carrier] },
  { name: 'flight', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(1n) },
  { name: 'distance', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(1) },
];
const x = (value: number): Tensor[] => [{ name: 'x', datatype: 'FP32', shape: [1], data: Float32Array.of(value) }];

/** Runs of the real model wait until they are let go, so that requests queue behind them. */
async function held(name: string, more: Partial<LoadedModel> = {}) {
  const { model, runs } = await watched(name);
  const gate = new EventEmitter();
  const opened = once(gate, 'open');
  const predict: LoadedModel['predict'] = async (...args) => {
    const answer = model.predict(...args);
    await opened;
    return answer;
  };
  return { model: { ...model, ...more, predict }, runs, release: () => gate.emit('open') };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The real model, with the rows of each run written down. */
async function watched(name: string): Promise<{ model: LoadedModel; runs: number[] }> {
  const model = await runtime.load({ mainPath: fixture(name) });
  const runs: number[] = [];
  const predict: LoadedModel['predict'] = (inputs, outputs) => {
    runs.push(inputs[0]?.shape[0] ?? 0);
    return model.predict(inputs, outputs);
  };
  return { model: { ...model, predict }, runs };
}

test('requests of one turn run together and each gets its own rows', async () => {
  const { model, runs } = await watched('gather.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const answers = await Promise.all([
    batcher.predict(index(0)),
    batcher.predict(index(1, 2)),
    batcher.predict(index(2)),
  ]);
  expect(answers.map(({ outputs: [picked] }) => [picked?.shape, [...(picked?.data ?? [])]])).toEqual([
    [[1], [10]],
    [[2], [20, 30]],
    [[1], [30]],
  ]);
  expect(runs).toEqual([4]);
});

test('a bad row fails its own request and none beside it', async () => {
  const { model } = await watched('gather.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const [good, bad, other] = await Promise.allSettled([
    batcher.predict(index(0)),
    batcher.predict(index(9)),
    batcher.predict(index(1)),
  ]);
  expect([good?.status, bad?.status, other?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('texts are batched too', async () => {
  const { model, runs } = await watched('columns-1.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const [first, second] = await Promise.all([batcher.predict(row('UA')), batcher.predict(row('DL'))]);
  expect([first.outputs[1]?.data, second.outputs[1]?.data, runs]).toEqual([['UA'], ['DL'], [2]]);
});

test('a model that answers by the batch is never batched', async () => {
  const { model, runs } = await watched('whole-batch.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const [first, second] = await Promise.all([batcher.predict(x(1)), batcher.predict(x(2))]);
  expect([first.outputs[0]?.data, second.outputs[0]?.data, runs]).toEqual([
    Float32Array.of(1),
    Float32Array.of(2),
    [1, 1],
  ]);
});

test('a batch keeps to the most rows it may have', async () => {
  const { model, runs } = await watched('gather.onnx');
  const batcher = createBatcher(model, model.signature, { ...limits, maxRows: 2 });
  await Promise.all([1, 1, 1, 1, 1].map((value) => batcher.predict(index(value))));
  expect(runs).toEqual([2, 2, 1]);
});

test('a full queue refuses, and what waited too long is given up', async () => {
  const { model } = await watched('gather.onnx');
  const full = createBatcher(model, model.signature, { ...limits, maxQueued: 1 });
  const waiting = full.predict(index(1));
  await expect(full.predict(index(1))).rejects.toMatchObject({ code: 'MODEL_QUEUE_FULL', kind: 'unavailable' });
  await waiting;
  const impatient = createBatcher(model, model.signature, { ...limits, timeoutMs: -1 });
  await expect(impatient.predict(index(1))).rejects.toMatchObject({ code: 'MODEL_QUEUE_TIMEOUT', kind: 'timeout' });
  await impatient.idle();
});

test('of a large batch only the parts with bad rows are run again', async () => {
  const { model, runs } = await watched('gather.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const asked = Array.from({ length: 32 }, (_, at) => batcher.predict(index(at === 21 ? 9 : 1)));
  const settled = await Promise.allSettled(asked);
  expect(settled.flatMap(({ status }, at) => (status === 'rejected' ? [at] : []))).toEqual([21]);
  // The whole, and two halves on each of the five levels.
  expect([runs[0], runs.length]).toEqual([32, 11]);
});

test('rows that the model says are no input of its fail their own request alone', async () => {
  const { model } = await watched('gather.onnx');
  const predict = (inputs: readonly Tensor[], outputs?: readonly string[]) =>
    Array.from(inputs[0]?.data ?? [], String).includes('2')
      ? Promise.reject(runtimeErrors.INPUT_INVALID('2 is odd'))
      : model.predict(inputs, outputs);
  const batcher = createBatcher({ ...model, predict }, model.signature, limits);
  const settled = await Promise.allSettled([0, 2, 1].map((at) => batcher.predict(index(at))));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: { code: 'INPUT_INVALID' } });
});

test('when the model could not run at all, nobody is tried again', async () => {
  const { model } = await watched('gather.onnx');
  let tries = 0;
  const predict = () => {
    tries += 1;
    return Promise.reject(runtimeErrors.MODEL_WORKER_LOST('it was killed'));
  };
  const batcher = createBatcher({ ...model, predict }, model.signature, limits);
  const settled = await Promise.allSettled([batcher.predict(index(0)), batcher.predict(index(1))]);
  expect([tries, ...settled.map(({ status }) => status)]).toEqual([1, 'rejected', 'rejected']);
});

test('a deadline that passed and a client that left cost no run', async () => {
  const { model, runs, release } = await held('gather.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const first = batcher.predict(index(0));
  await turn();
  const leaver = new AbortController();
  const refused = Promise.allSettled([
    batcher.predict(index(0), { deadlineMs: performance.now() - 1 }),
    batcher.predict(index(0), { signal: leaver.signal }),
  ]);
  const last = batcher.predict(index(1), { deadlineMs: performance.now() + 60_000 });
  leaver.abort();
  release();
  await Promise.all([first, last]);
  expect((await refused).map((one) => one.status === 'rejected' && (one.reason as { code: string }).code)).toEqual([
    'DEADLINE_PASSED',
    'REQUEST_ABANDONED',
  ]);
  expect(runs).toEqual([1, 1]);
});

test('while a run takes long, a deadline is answered when it passes', async () => {
  const { model, release } = await held('gather.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const first = batcher.predict(index(0));
  await turn();
  await expect(batcher.predict(index(0), { deadlineMs: performance.now() + 20 })).rejects.toMatchObject({
    code: 'DEADLINE_PASSED',
    kind: 'timeout',
  });
  expect(batcher.pending).toBe(1);
  release();
  await first;
});

test('priority goes before arrival', async () => {
  const { model, release } = await held('gather.onnx');
  const batcher = createBatcher(model, model.signature, { ...limits, maxRows: 1 });
  const order: string[] = [];
  const ask = (name: string, priority?: number) =>
    batcher.predict(index(0), priority === undefined ? {} : { priority }).then(() => order.push(name));
  const all = [ask('running')];
  await turn();
  all.push(ask('low', 9), ask('usual 1'), ask('high', 1), ask('usual 2'));
  release();
  await Promise.all(all);
  expect(order).toEqual(['running', 'high', 'usual 1', 'usual 2', 'low']);
});

test('a model that can do several runs at a time gets as many, and no more than its limit', async () => {
  for (const [limit, expected] of [
    [undefined, 3],
    [2, 2],
  ] as const) {
    const { model, runs, release } = await held('gather.onnx', { parallelism: 3 });
    const batcher = createBatcher(model, model.signature, {
      ...limits,
      maxRows: 1,
      ...(limit !== undefined && { maxConcurrent: limit }),
    });
    const all = Array.from({ length: 5 }, () => batcher.predict(index(0)));
    await turn();
    expect(runs.length).toBe(expected);
    release();
    await Promise.all(all);
    expect(runs.length).toBe(5);
  }
});

test('with a delay a request waits for company, and a full batch for nobody', async () => {
  const { model, runs } = await watched('gather.onnx');
  const batcher = createBatcher(model, model.signature, { ...limits, maxRows: 3, maxDelayMs: 60_000 });
  const first = batcher.predict(index(0));
  await turn();
  await turn();
  expect(runs).toEqual([]);
  const second = batcher.predict(index(0, 1));
  await Promise.all([first, second]);
  expect(runs).toEqual([3]);
  const hasty = createBatcher(model, model.signature, { ...limits, maxDelayMs: 5 });
  await hasty.predict(index(0));
  expect(runs).toEqual([3, 1]);
});

test('requests with other parameters do not run together, where the model reads them', async () => {
  for (const takesParameters of [true, false]) {
    const { model, runs } = await watched('gather.onnx');
    const batcher = createBatcher({ ...model, takesParameters }, model.signature, limits);
    await Promise.all([1n, 2n, 1n].map((temperature) => batcher.predict(index(0), { parameters: { temperature } })));
    expect(runs).toEqual(takesParameters ? [2, 1] : [3]);
  }
});
