import { mkdtempSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelSignature, Tensor } from '../../src/contracts/tensor.ts';
import { createLogger } from '../../src/platform/log.ts';
import { runCommand, scrubEnvironment } from '../../src/platform/processes.ts';
import { createPythonEnvironments } from '../../src/platform/python-environments.ts';
import { createPythonRuntime } from '../../src/runtimes/python/python-runtime.ts';
import type { Runtime } from '../../src/runtimes/runtime.ts';

// Apart from all other tests (`npm run test:torch`): PyTorch's wheels are some 3 GB to fetch and 5 GB on disk, which go when
// it has run.
const setUpMs = 1_800_000;
const testMs = 300_000;
const requirements = resolve('tests/python/requirements/torch.txt');
const folder = mkdtempSync(join(tmpdir(), 'tidemill-torch-'));
const models = join(folder, 'models');
/** No graphics card: what is tested is the same on each machine. */
const env = { ...scrubEnvironment(process.env), CUDA_VISIBLE_DEVICES: '' };
const environments = createPythonEnvironments({ folder: join(folder, 'python'), env });

let expected: Readonly<Record<'rows' | 'scale' | 'y' | 'best' | 'matrix', readonly number[]>>;
let runtime: Runtime;

beforeAll(async () => {
  const { pythonPath } = await environments.ensureEnvironment({
    requirementsPath: requirements,
    onProgress: (line) => console.log(line),
  });
  const { stdout, tail } = await runCommand([pythonPath, resolve('tests/python/torch_models.py'), models], { env });
  if (stdout === '') throw new Error(tail.join('\n'));
  expected = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as typeof expected;
  const logger = createLogger({ level: 'silent' });
  runtime = createPythonRuntime({ folder: join(folder, 'homes'), logger, environments, env });
}, setUpMs);

afterAll(async () => {
  await runtime?.close();
  await rm(folder, { recursive: true, force: true });
}, testMs);

const signature: ModelSignature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 3] },
    { name: 'scale', datatype: 'FP32', shape: [-1, 1] },
  ],
  outputs: [
    { name: 'y', datatype: 'FP32', shape: [-1, 2] },
    { name: 'best', datatype: 'INT64', shape: [-1] },
  ],
};
const floats = (name: string, values: readonly number[], columns: number): Tensor => ({
  name,
  datatype: 'FP32',
  shape: [values.length / columns, columns],
  data: Float32Array.from(values),
});

async function load(name: string, main: string, declared?: ModelSignature) {
  await copyFile(requirements, join(models, name, 'requirements.txt'));
  await rm(join(models, name, 'python_env.yaml'), { force: true }); // MLflow's names another Python's packages
  return runtime.load({ mainPath: join(models, name, main), ...(declared && { signature: declared }) });
}

function expectClose(tensor: Tensor | undefined, values: readonly number[]): void {
  expect(tensor?.data).toHaveLength(values.length);
  for (const [at, value] of values.entries()) expect(Number(tensor?.data[at])).toBeCloseTo(value, 5);
}

test.each([
  ['scripted', 'model.pt'],
  ['traced', 'model.pth'],
  ['exported', 'model.pt2'],
])(
  '%s: several inputs in the order of the signature, several outputs, any number of rows',
  async (name, main) => {
    const model = await load(name, main, signature);
    expect(model.signature).toEqual(signature);
    const all = [floats('x', expected.rows, 3), floats('scale', expected.scale, 1)];
    const [y, best] = await model.predict(all);
    expectClose(y, expected.y);
    expect(best).toEqual({
      name: 'best',
      datatype: 'INT64',
      shape: [5],
      data: BigInt64Array.from(expected.best, BigInt),
    });
    const two = [floats('x', expected.rows.slice(0, 6), 3), floats('scale', expected.scale.slice(0, 2), 1)];
    const [onlyBest] = await model.predict(two, ['best']);
    expect(onlyBest?.data).toEqual(BigInt64Array.from(expected.best.slice(0, 2), BigInt));
    // rows that do not fit the layers fail their request, and the next is answered
    await expect(model.predict([floats('x', [1, 2], 2), floats('scale', [1], 1)])).rejects.toMatchObject({
      code: 'MODEL_RUN_FAILED',
    });
    expectClose((await model.predict(all))[0], expected.y);
    await model.unload();
  },
  testMs,
);

test(
  'a model that MLflow’s PyTorch flavour has logged takes and gives what its signature says',
  async () => {
    const model = await load('mlflow', 'MLmodel');
    expect(model.signature).toEqual({
      inputs: [{ name: 'input-0', datatype: 'FP32', shape: [-1, 3] }],
      outputs: [{ name: 'predictions', datatype: 'FP32', shape: [-1, 2] }],
    });
    const [answer] = await model.predict([floats('input-0', expected.rows, 3)]);
    expectClose(answer, expected.matrix);
    await model.unload();
  },
  testMs,
);

test(
  'weights without a program, and a model without a signature, are refused with how to save one',
  async () => {
    await expect(load('weights', 'model.pt', signature)).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('torch.jit.script'),
    });
    await expect(load('scripted', 'model.pt')).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('a PyTorch model: it does not say what it takes'),
    });
  },
  testMs,
);
