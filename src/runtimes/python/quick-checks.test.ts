import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';

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
