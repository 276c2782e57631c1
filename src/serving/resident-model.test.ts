import { afterAll, expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#platform/log';
import { createOnnxRuntime } from '#runtimes/onnx';
import type { LoadedModel } from '#runtimes/runtime';
import { createModelMemory, type ModelMemory } from './model-memory.ts';
import { openResidentModel, type ResidentOptions } from './resident-model.ts';
import { fixture } from './testing/test-plane.ts';

const runtime = createOnnxRuntime();
afterAll(() => runtime.close());
const logger = createLogger({ level: 'silent' });
const index = [{ name: 'index', datatype: 'INT64' as const, shape: [1], data: BigInt64Array.of(1n) }];

function aMemory(budgetBytes?: number): ModelMemory {
  const memory = createModelMemory({ budgetBytes, logger });
  onTestFinished(() => memory.close());
  return memory;
}

/** A model of 100 bytes, as the budget sees it. */
async function aModel(memory: ModelMemory, more: Partial<ResidentOptions> = {}) {
  let loads = 0;
  const load = () => {
    loads += 1;
    return runtime.load({ mainPath: fixture('gather.onnx') });
  };
  const resident = await openResidentModel({
    name: 'model m@1',
    estimatedBytes: 100,
    memory,
    load,
    isPinned: () => false,
    idleMs: () => undefined,
    isBusy: () => false,
    ...more,
  });
  onTestFinished(() => resident.close());
  const ask = async () => {
    await resident.ensure();
    return (await resident.model.predict(index))[0]?.data;
  };
  return { resident, ask, loads: () => loads };
}

test('the model that was not used for longest makes room, and comes back when it is asked', async () => {
  const memory = aMemory(250);
  const [a, b] = [await aModel(memory), await aModel(memory)];
  await b.ask();
  await a.ask();
  const c = await aModel(memory);
  expect([a, b, c].map(({ resident }) => resident.isLoaded)).toEqual([true, false, true]);
  expect(memory.usedBytes).toBe(200);
  expect(await b.ask()).toEqual(Float32Array.of(20));
  expect([a, b, c].map(({ resident }) => resident.isLoaded)).toEqual([false, true, true]);
  expect([b.resident.reloads, b.loads()]).toEqual([1, 2]);
});

test('models that come all at once load one after another where there is no room for all', async () => {
  const memory = aMemory(300);
  let [loading, most] = [0, 0];
  const used: number[] = [];
  const open = (name: string) =>
    aModel(memory, {
      name,
      async load() {
        loading += 1;
        most = Math.max(most, loading);
        used.push(memory.usedBytes);
        const model = await runtime.load({
          mainPath: fixture(name === 'broken' ? 'breast-cancer.json' : 'gather.onnx'),
        });
        return model;
      },
    }).finally(() => (loading -= 1));
  const opened = await Promise.allSettled(['a', 'b', 'broken', 'c', 'd', 'e', 'f', 'g'].map(open));
  expect(opened.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true, true, true, true]);
  expect(most).toBeLessThanOrEqual(3);
  expect(Math.max(...used)).toBeLessThanOrEqual(300); // nor do those that wait count
  const residents = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const loaded = residents.filter(({ resident }) => resident.isLoaded).length;
  expect([loaded > 0, loaded * 100]).toEqual([true, memory.usedBytes]);
  expect(memory.usedBytes).toBeLessThanOrEqual(300);
  for (const { ask } of residents) expect(await ask()).toEqual(Float32Array.of(20));
});

test('what is pinned or has requests stays, though the budget is passed, and goes when it may', async () => {
  const memory = aMemory(100);
  let busy = true;
  const pinned = await aModel(memory, { isPinned: () => true });
  const used = await aModel(memory, { isBusy: () => busy });
  const third = await aModel(memory);
  expect([pinned, used, third].map(({ resident }) => resident.isLoaded)).toEqual([true, true, true]);
  expect(memory.usedBytes).toBe(300);
  busy = false;
  await expect.poll(() => memory.usedBytes).toBe(100);
  expect([pinned, used, third].map(({ resident }) => resident.isLoaded)).toEqual([true, false, false]);
});

test('a model that nobody asks for leaves, and one load serves all who then wait', async () => {
  let idleMs: number | undefined = 1;
  const one = await aModel(aMemory(), { idleMs: () => idleMs });
  await expect.poll(() => one.resident.isLoaded).toBe(false);
  idleMs = undefined;
  const answers = await Promise.all(Array.from({ length: 50 }, () => one.ask()));
  expect(answers).toEqual(Array.from({ length: 50 }, () => Float32Array.of(20)));
  expect([one.loads(), one.resident.reloads]).toEqual([2, 1]);
});

test('a load that fails is told to all who wait, and is tried again later', async () => {
  const memory = aMemory(100);
  let broken = false;
  let loads = 0;
  const load = (): Promise<LoadedModel> => {
    loads += 1;
    return runtime.load({ mainPath: broken ? fixture('make-fixtures.py') : fixture('gather.onnx') });
  };
  const one = await aModel(memory, { load });
  await aModel(memory);
  expect(one.resident.isLoaded).toBe(false);
  broken = true;
  const settled = await Promise.allSettled([one.ask(), one.ask(), one.ask()]);
  for (const result of settled)
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'MODEL_NOT_RELOADED', kind: 'unavailable' } });
  expect(loads).toBe(2);
  broken = false;
  await expect.poll(() => one.ask().catch(() => undefined), { timeout: 5_000 }).toEqual(Float32Array.of(20));
  expect(loads).toBe(3);
});
