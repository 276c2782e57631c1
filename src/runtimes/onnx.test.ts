import { mkdtempSync, readFileSync } from 'node:fs';
import { copyFile, link, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { builtModule } from '#platform/testing/built-program';
import { checkInputs, joinSignature } from './check-inputs.ts';
import { createOnnxRuntime, createOnnxThreadRuntime } from './onnx.ts';
import { createOnnxThreadsRuntime } from './onnx-threads.ts';
import type { LoadedModel } from './runtime.ts';
import { buildTimeoutMs, describeRuntime, fixture, onnxModels } from './testing/runtime-contract.ts';

describeRuntime('ONNX in this thread', onnxModels, async () => createOnnxRuntime());
describeRuntime('ONNX in worker threads', onnxModels, async () => {
  await builtModule('runtimes/onnx-thread.js');
  return createOnnxThreadsRuntime();
});
describeRuntime('ONNX in a worker thread', onnxModels, async () => {
  await builtModule('runtimes/onnx-thread.js');
  return createOnnxThreadRuntime();
});

test('boosting answers as scikit-learn did', async () => {
  const runtime = createOnnxRuntime();
  const model = await runtime.load({ mainPath: fixture('breast-cancer.onnx') });
  const sample = JSON.parse(readFileSync(fixture('breast-cancer.json'), 'utf8')) as {
    rows: number[][];
    probabilities: number[];
  };
  const x = {
    name: 'x',
    datatype: 'FP32',
    shape: [sample.rows.length, 30],
    data: Float32Array.from(sample.rows.flat()),
  } as const;
  const [probabilities] = await model.predict([x], ['probabilities']);
  for (const [row, expected] of sample.probabilities.entries())
    expect(probabilities?.data[row * 2 + 1]).toBeCloseTo(expected, 5);
  await runtime.close();
});

test(
  'a model in a worker thread leaves the event loop free while it runs',
  async () => {
    await builtModule('runtimes/onnx-thread.js');
    const runtime = createOnnxThreadRuntime();
    const model = await runtime.load({ mainPath: fixture('slow.onnx') });
    let turns = 0;
    let done = false;
    const count = () => {
      turns += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await model.predict([{ name: 'turns', datatype: 'INT64', shape: [1], data: BigInt64Array.of(500n) }]);
    done = true;
    expect(turns).toBeGreaterThan(100);
    await runtime.close();
  },
  buildTimeoutMs,
);

test(
  'a model in two threads runs twice at a time: what is short is not held up by what is long',
  async () => {
    await builtModule('runtimes/onnx-thread.js');
    const runtime = createOnnxThreadsRuntime();
    const model = await runtime.load({ mainPath: fixture('slow.onnx'), workers: { count: 2 } });
    expect(model.parallelism).toBe(2);
    const done: bigint[] = [];
    const run = async (turns: bigint) => {
      await model.predict([{ name: 'turns', datatype: 'INT64', shape: [1], data: BigInt64Array.of(turns) }]);
      done.push(turns);
    };
    const long = run(2000n);
    await run(1n);
    await run(2n);
    await long;
    expect(done).toEqual([1n, 2n, 2000n]);
    await model.unload();
    await expect(run(1n)).rejects.toMatchObject({ code: 'MODEL_UNLOADED' });
    await expect(
      runtime.load({ mainPath: fixture('breast-cancer.json'), workers: { count: 2 } }),
    ).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    await runtime.close();
  },
  buildTimeoutMs,
);

/** The third of what gather.onnx has. */
async function ask(model: LoadedModel) {
  const index = { name: 'index', datatype: 'INT64', shape: [1], data: BigInt64Array.of(2n) } as const;
  return (await model.predict([index]))[0]?.data[0];
}

test(
  'a file that is loaded twice has one session, which stays when the one that was first unloads and its name is gone',
  async () => {
    await builtModule('runtimes/onnx-thread.js');
    const folder = mkdtempSync(join(tmpdir(), 'tidemill-onnx-'));
    const [path, other] = [join(folder, 'a.onnx'), join(folder, 'b.onnx')];
    await copyFile(fixture('gather.onnx'), path);
    await link(path, other);
    const runtime = createOnnxThreadRuntime();
    const [alone, member] = await Promise.all([runtime.load({ mainPath: path }), runtime.load({ mainPath: other })]);
    expect([await ask(alone), await ask(member)]).toEqual([30, 30]);
    await alone.unload();
    await rm(path);
    await expect(ask(alone)).rejects.toMatchObject({ code: 'MODEL_UNLOADED' });
    expect(await ask(member)).toBe(30);
    await member.unload();
    await expect(ask(member)).rejects.toMatchObject({ code: 'MODEL_UNLOADED' });
    const again = await runtime.load({ mainPath: other });
    expect(await ask(again)).toBe(30);
    await runtime.close();
    await again.unload();
  },
  buildTimeoutMs,
);

const inputs = (carrier: string): readonly Tensor[] => [
  { name: 'carrier', datatype: 'BYTES', shape: [1, 1], data: [carrier] },
  { name: 'flight', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(1n) },
  { name: 'distance', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(1) },
];

test('a text with U+0000 is refused: onnxruntime would cut it off there', async () => {
  const runtime = createOnnxRuntime();
  const { signature } = await runtime.load({ mainPath: fixture('columns-1.onnx') });
  expect(checkInputs(signature, inputs('AA')).rows).toBe(1);
  expect(() => checkInputs(signature, inputs('A\0A'))).toThrow(
    'input "carrier" has a text with U+0000, which this model cannot take',
  );
  expect(() => checkInputs(joinSignature(signature, signature), inputs('A\0A'))).toThrow('U+0000');
  await runtime.close();
});

const request = (carriers: readonly string[], ...distances: number[]): readonly Tensor[] => {
  const shape = [distances.length, 1];
  return [
    { name: 'distance', datatype: 'FP32', shape, data: Float32Array.from(distances) },
    { name: 'carrier', datatype: 'BYTES', shape, data: carriers },
    { name: 'flight', datatype: 'INT64', shape, data: BigInt64Array.from(distances, BigInt) },
  ];
};

test(
  'a worker thread takes several requests together: their rows come behind each other, in whatever order inputs are',
  async () => {
    await builtModule('runtimes/onnx-thread.js');
    const runtime = createOnnxThreadRuntime();
    const model = await runtime.load({ mainPath: fixture('columns-1.onnx') });
    const requests = [request(['UA'], 1), request(['ZÜ', '', 'B6'], 10, 11, 12), request([]), request(['AA'], 20)];
    expect(await model.predictTogether?.(requests, ['carrier_out', 'score'])).toEqual([
      { name: 'carrier_out', datatype: 'BYTES', shape: [5, 1], data: ['UA', 'ZÜ', '', 'B6', 'AA'] },
      { name: 'score', datatype: 'FP32', shape: [5, 1], data: Float32Array.of(2, 11, 12, 13, 21) },
    ]);
    expect((await model.predictTogether?.(requests))?.map(({ name, shape }) => [name, shape])).toEqual([
      ['score', [5, 1]],
      ['carrier_out', [5, 1]],
      ['flight_out', [5, 1]],
    ]);
    await runtime.close();
  },
  buildTimeoutMs,
);
