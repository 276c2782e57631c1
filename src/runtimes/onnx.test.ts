import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtModule } from '#platform/testing/built-program';
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
