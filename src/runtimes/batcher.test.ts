import { afterAll, expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { createBatcher } from './batcher.ts';
import { createOnnxRuntime } from './onnx.ts';
import type { LoadedModel } from './runtime.ts';
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
  expect(answers.map(([picked]) => [picked?.shape, [...(picked?.data ?? [])]])).toEqual([
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
  expect([first?.[1]?.data, second?.[1]?.data, runs]).toEqual([['UA'], ['DL'], [2]]);
});

test('a model that answers by the batch is never batched', async () => {
  const { model, runs } = await watched('whole-batch.onnx');
  const batcher = createBatcher(model, model.signature, limits);
  const [first, second] = await Promise.all([batcher.predict(x(1)), batcher.predict(x(2))]);
  expect([first?.[0]?.data, second?.[0]?.data, runs]).toEqual([Float32Array.of(1), Float32Array.of(2), [1, 1]]);
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
