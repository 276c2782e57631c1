import { mkdtempSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelSignature, Tensor } from '#contracts/tensor';
import { createLogger } from '#platform/log';
import { runCommand, scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';
import type { Runtime } from '../runtime.ts';
import { createPythonRuntime } from './python-runtime.ts';

const setUpMs = 300_000;
const requirements = resolve('tests/python/requirements/model-flavours.txt');
const env = scrubEnvironment(process.env);
const environments = createPythonEnvironments({ folder: resolve('node_modules/.cache/tidemill-python'), env });

interface Written {
  readonly main: string;
  readonly rows: readonly (readonly number[])[];
  readonly predictions: readonly unknown[];
}

const matrix = (name: string, rows: readonly (readonly number[])[], datatype: 'FP32' | 'FP64'): Tensor => ({
  name,
  datatype,
  shape: [rows.length, 3],
  data: datatype === 'FP64' ? Float64Array.from(rows.flat()) : Float32Array.from(rows.flat()),
});

/** Models that keep the names of the columns that they were fitted on. */
const named: ReadonlySet<string> = new Set(['fitted-on-a-table', 'xgboost-with-names', 'lightgbm-with-names']);
const columns = ['a', 'b', 'c'];

/** What JSON can hold, to five decimals. */
const comparable = (values: ArrayLike<unknown>): readonly unknown[] =>
  Array.from(values, (value) => (typeof value === 'string' ? value : Number(Number(value).toFixed(5))));

// the first import of a library in a new environment compiles it
describe('models as their libraries write them', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-flavours-'));
  let written: Readonly<Record<string, Written>>;
  let runtime: Runtime;

  beforeAll(async () => {
    const { pythonPath } = await environments.ensureEnvironment({ requirementsPath: requirements });
    const script = resolve('tests/python/model_flavours.py');
    const { stdout, tail } = await runCommand([pythonPath, script, join(folder, 'models')], { env });
    if (stdout === '') throw new Error(tail.join('\n'));
    written = JSON.parse(stdout) as typeof written;
    runtime = createPythonRuntime({
      folder: join(folder, 'homes'),
      logger: createLogger({ level: 'silent' }),
      environments,
      env,
    });
  }, setUpMs);
  afterAll(() => runtime.close());

  async function load(name: string, signature?: ModelSignature) {
    const { main = '', rows = [], predictions = [] } = written[name] ?? {};
    await copyFile(requirements, join(folder, 'models', name, 'requirements.txt'));
    const mainPath = join(folder, 'models', name, main);
    const model = await runtime.load({ mainPath, ...(signature && { signature }) });
    return { model, rows, predictions };
  }

  test.each([
    ['pickle', 'FP64', 'INT64', []],
    ['joblib', 'FP64', 'INT64', []],
    ['joblib-named-pickle', 'FP64', 'INT64', []],
    ['texts', 'FP64', 'BYTES', []],
    ['two-targets', 'FP64', 'FP64', [2]],
    ['fitted-on-a-table', 'FP64', 'INT64', []],
    ['xgboost', 'FP32', 'FP32', []],
    ['xgboost-with-names', 'FP32', 'FP32', []],
    ['xgboost-json', 'FP32', 'FP32', []],
    ['xgboost-pickle', 'FP64', 'INT64', []],
    ['lightgbm', 'FP32', 'FP64', []],
    ['lightgbm-with-names', 'FP32', 'FP64', []],
    ['lightgbm-bst', 'FP32', 'FP64', []],
  ] as const)(
    '%s: it says itself what it takes and gives, and predicts as it did',
    async (name, input, output, more) => {
      const { model, rows, predictions } = await load(name);
      expect(model.signature).toEqual({
        inputs: [{ name: 'input-0', datatype: input, shape: [-1, 3], ...(named.has(name) && { columns }) }],
        outputs: [{ name: 'predict', datatype: output, shape: [-1, ...more] }],
      });
      const [answer] = await model.predict([matrix('input-0', rows, input)]);
      expect(comparable(answer?.data ?? [])).toEqual(comparable(predictions.flat()));
      await model.unload();
    },
  );

  test('a declared signature gives a model a column an input, and the outputs that it names', async () => {
    const { model, rows, predictions } = await load('columns', {
      inputs: [
        { name: 'carrier', datatype: 'BYTES', shape: [-1, 1] },
        { name: 'distance', datatype: 'FP64', shape: [-1, 1] },
      ],
      outputs: [
        { name: 'label', datatype: 'INT64', shape: [-1] },
        { name: 'probabilities', datatype: 'FP64', shape: [-1, 2] },
      ],
    });
    const [probabilities] = await model.predict(
      [
        { name: 'carrier', datatype: 'BYTES', shape: [4, 1], data: ['UA', 'AA', 'UA', 'AA'] },
        { name: 'distance', datatype: 'FP64', shape: [4, 1], data: Float64Array.from(rows, ([first]) => first ?? 0) },
      ],
      ['probabilities'],
    );
    expect(probabilities).toMatchObject({ name: 'probabilities', shape: [4, 2] });
    for (const [at, value] of predictions.flat().entries())
      expect(probabilities?.data[at]).toBeCloseTo(Number(value), 10);
    await model.unload();
  });

  test('an output that the model cannot give is refused when it is loaded', async () => {
    const loading = load('two-targets', {
      inputs: [{ name: 'x', datatype: 'FP64', shape: [-1, 3] }],
      outputs: [{ name: 'probabilities', datatype: 'FP64', shape: [-1, 2] }],
    });
    await expect(loading).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('cannot give an output "probabilities"; it has predict'),
    });
  });
});
