import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '#platform/log';
import { runCommand, scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';
import { createPythonRuntime } from './python-runtime.ts';

const env = scrubEnvironment(process.env);
const environments = createPythonEnvironments({ folder: resolve('node_modules/.cache/tidemill-python'), env });

test('the short way through the checks of scikit-learn answers and refuses as they do', {
  timeout: 300_000,
}, async () => {
  const requirementsPath = resolve('tests/python/requirements/model-flavours.txt');
  const { pythonPath } = await environments.ensureEnvironment({ requirementsPath });
  const { stdout, tail } = await runCommand([pythonPath, resolve('tests/python/quick_checks.py')], { env });
  if (stdout === '') throw new Error(tail.join('\n'));
  const { asked, taken, differing } = JSON.parse(stdout) as {
    readonly asked: number;
    readonly taken: number;
    readonly differing: Readonly<Record<string, readonly unknown[]>>;
  };
  expect(differing).toEqual({});
  expect(asked).toBeGreaterThan(800);
  expect(taken, 'checks that went the short way').toBeGreaterThan(500);
});

/** Says which of the checks are those of scikit-learn itself. */
const tellingModel = `from sklearn.utils import validation

signature = {
    "inputs": [{"name": "name", "datatype": "BYTES", "shape": [-1, 1]}],
    "outputs": [{"name": "is_own", "datatype": "BOOL", "shape": [-1]}],
}


def predict(inputs, outputs):
    return {"is_own": [not hasattr(getattr(validation, one), "__wrapped__") for one in inputs["name"].reshape(-1)]}
`;

test.each([
  [undefined, 0],
  ['quick', 0],
  ['full', 1],
] as const)(
  'with sklearn-checks %s a model has its own checks: %s',
  { timeout: 300_000 },
  async (sklearnChecks, isOwn) => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemill-sklearn-checks-'));
    const mainPath = join(folder, 'model.py');
    await writeFile(mainPath, tellingModel);
    const logger = createLogger({ level: 'silent' });
    const runtime = createPythonRuntime({ folder: join(folder, 'homes'), logger, environments, env, sklearnChecks });
    const model = await runtime.load({ mainPath });
    const names = ['check_array', 'check_is_fitted'];
    const [answer] = await model.predict([{ name: 'name', datatype: 'BYTES', shape: [2, 1], data: names }]);
    expect([...(answer?.data ?? [])]).toEqual([isOwn, isOwn]);
    await runtime.close();
  },
);
