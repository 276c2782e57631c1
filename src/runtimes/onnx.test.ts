import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { builtModule } from '#platform/testing/built-program';
import { checkInputs, joinSignature } from './check-inputs.ts';
import { createOnnxRuntime, createOnnxThreadRuntime } from './onnx.ts';
import { buildTimeoutMs, describeRuntime, fixture, onnxModels } from './testing/runtime-contract.ts';

describeRuntime('ONNX in this thread', onnxModels, async () => createOnnxRuntime());
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
