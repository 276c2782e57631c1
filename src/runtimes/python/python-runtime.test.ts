import { mkdtempSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { createLogger, type Logger } from '#platform/log';
import { scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';
import type { LoadedModel, ModelFiles, Runtime } from '../runtime.ts';
import { describeRuntime, fixture } from '../testing/runtime-contract.ts';
import type { WorkerPoolLimits } from '../workers/worker-pool.ts';
import { createPythonRuntime, defaultRequirements } from './python-runtime.ts';

const buildMs = 300_000;
const env = scrubEnvironment(process.env);
const environments = createPythonEnvironments({ folder: resolve('node_modules/.cache/tidemill-python'), env });
const aFolder = (): string => mkdtempSync(join(tmpdir(), 'tidemill-python-runtime-'));
const silent = createLogger({ level: 'silent' });
const aRuntime = (logger: Logger = silent, folder = aFolder()): Runtime =>
  createPythonRuntime({ folder, logger, environments, env });

const models = {
  columns: fixture('python/columns/model.py'),
  twoOutputs: fixture('python/two-outputs/model.py'),
  gather: fixture('python/gather/model.py'),
  echo: fixture('python/echo/model.py'),
};

describeRuntime('Python in processes', models, async () => {
  await environments.ensureEnvironment({ requirementsPath: defaultRequirements });
  return aRuntime();
});

const misbehaving = fixture('python/misbehaving/model.py');
const what = (...values: string[]): Tensor[] => [
  { name: 'what', datatype: 'BYTES', shape: [values.length, 1], data: values },
];

async function aModel(workers: WorkerPoolLimits, runtime = aRuntime(), more: Partial<ModelFiles> = {}) {
  const model = await runtime.load({ mainPath: misbehaving, workers, ...more });
  onTestFinished(() => model.unload());
  return model;
}
const ask = async (model: LoadedModel, value: string): Promise<string> =>
  String((await model.predict(what(value)))[0]?.data[0]);

test('of what uv says, lines of one package are for who debugs: a model of MLflow has a hundred of them', async () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } });
  const said = [
    'Resolved 2 packages in 5ms',
    'Downloading numpy (15.7MiB)',
    ' Downloaded numpy',
    '   Building a==1',
  ].concat(['Prepared 2 packages in 3ms', '      Built a==1', ' + numpy==2.1.3', ' - six==1.16.0', 'warning: odd']);
  const runtime = createPythonRuntime({
    folder: aFolder(),
    logger,
    env,
    environments: {
      ensureEnvironment(request) {
        for (const line of said) request.onProgress?.(line);
        return environments.ensureEnvironment(request);
      },
    },
  });
  await aModel({ count: 1 }, runtime);
  expect(lines.map((line) => JSON.parse(line).msg).filter((line) => said.includes(line))).toEqual([
    'Resolved 2 packages in 5ms',
    'Prepared 2 packages in 3ms',
    'warning: odd',
  ]);
}, 300_000);

/** Waits for what happens in another process; fails after a while. */
async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !(await isTrue()); await new Promise((next) => setTimeout(next, 10)))
    if (Date.now() > end) throw new Error('it has not come to be after 20 seconds');
}

function isRunning(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

describe('a model that misbehaves', () => {
  beforeAll(() => environments.ensureEnvironment({ requirementsPath: defaultRequirements }), buildMs);

  test('a process that is killed fails what it had in its hands with 503, and another takes its place', async () => {
    const model = await aModel({ count: 2 });
    const pids = new Set(await Promise.all(Array.from({ length: 4 }, () => ask(model, 'pid'))));
    expect(pids.size).toBe(2);
    const lost = [ask(model, 'hang'), ask(model, 'hang'), ask(model, 'hang'), ask(model, 'hang')];
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    for (const one of await Promise.allSettled(lost))
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'MODEL_WORKER_LOST', kind: 'unavailable' } });
    const after = await ask(model, 'pid'); // waits for the new process
    expect(pids.has(after)).toBe(false);
  });

  test('a crash inside the model is told with its signal, and other processes go on', async () => {
    const model = await aModel({ count: 2 });
    const crash = ask(model, 'die');
    const beside = ask(model, 'fine');
    await expect(crash).rejects.toThrow('SIGSEGV');
    await expect(crash).rejects.toMatchObject({ code: 'MODEL_WORKER_LOST' });
    expect(await beside).toBe('fine');
    expect(await ask(model, 'fine')).toBe('fine');
  });

  test('what a model raises reaches the caller as a message, and the log with its stack', async () => {
    const file = join(aFolder(), 'log');
    const model = await aModel({}, aRuntime(createLogger({ destination: { file } })));
    const raised = ask(model, 'raise');
    await expect(raised).rejects.toMatchObject({
      code: 'MODEL_RUN_FAILED',
      message: 'the model failed: ValueError: the row is odd',
    });
    await until(async () => /ValueError.*model\.py|model\.py.*ValueError/.test(await readFile(file, 'utf8')));
    await expect(ask(model, 'refuse')).rejects.toMatchObject({ code: 'INPUT_INVALID', message: 'the row is no row' });
    await expect(ask(model, 'exit')).rejects.toMatchObject({ code: 'MODEL_RUN_FAILED' });
    expect(await ask(model, 'fine')).toBe('fine');
  });

  test('an output of another shape than the signature says fails its request', async () => {
    const model = await aModel({});
    await expect(ask(model, 'shape')).rejects.toThrow('its output "answer" has shape [1, 3], its signature says [-1]');
  });

  test('a run that does not end is ended, and told so', async () => {
    const model = await aModel({ runTimeoutMs: 500 });
    await expect(ask(model, 'hang')).rejects.toThrow('it did not answer within 0.5 s');
    // who waits for the next process waits no longer than that either
    await until(async () => (await ask(model, 'fine').catch(() => '')) === 'fine');
  });

  test('memory beyond the limit: at once it fails the request, little by little it ends the process', async () => {
    const model = await aModel({ maxMemoryBytes: 400 * 2 ** 20 });
    const before = await ask(model, 'pid');
    await expect(ask(model, 'grow')).rejects.toThrow('it ran out of memory (its worker may take 400 MiB)');
    await until(async () => (await ask(model, 'pid')) !== before);
    expect(model.memoryBytes).toBeGreaterThan(10 * 2 ** 20);
    const failures: string[] = [];
    for (let turn = 0; turn < 20 && failures.length === 0; turn += 1)
      await ask(model, 'leak').catch((error: Error) => failures.push(error.message));
    expect(failures.join()).toMatch(/ran out of memory|MiB of memory, 400 are allowed/);
    expect(await ask(model, 'fine')).toBe('fine');
  });

  test('a process is renewed after so many requests, and no request is lost over it', async () => {
    const model = await aModel({ recycleAfter: 5 });
    const first = await ask(model, 'pid');
    let asked = 1;
    await until(async () => {
      asked += 1;
      return (await ask(model, 'pid')) !== first;
    });
    expect(asked).toBeGreaterThan(5);
    await until(() => !isRunning(first));
  });

  test('it runs in a session of its own, without input, and sees nothing of our environment', async () => {
    process.env['TIDEMILL_POOL_TOKEN'] = 'secret';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
    onTestFinished(() => {
      delete process.env['TIDEMILL_POOL_TOKEN'];
      delete process.env['AWS_SECRET_ACCESS_KEY'];
    });
    const model = await aModel({});
    const seen = JSON.parse(await ask(model, 'environment')) as Record<string, string>;
    expect(Object.keys(seen).filter((name) => /TIDEMILL|AWS|TOKEN/.test(name))).toEqual(['TIDEMILL_WORKER_FD']);
    expect(JSON.stringify(seen)).not.toContain('secret');
    expect(seen['HOME']).not.toBe(process.env['HOME']);
    expect(await ask(model, 'session')).toBe(await ask(model, 'pid'));
    expect(await ask(model, 'stdin')).toBe("''");
  });

  test('nothing is left when it is unloaded: neither processes, nor what they started, nor files', async () => {
    const folder = aFolder();
    const runtime = aRuntime(silent, folder);
    const model = await runtime.load({ mainPath: misbehaving });
    const pids = [await ask(model, 'pid'), await ask(model, 'child')];
    await runtime.close();
    await until(() => !pids.some(isRunning));
    expect(await readdir(join(folder, 'python'))).toEqual([]);
  });
});

const withFlag = async (flag: string): Promise<string> => {
  const folder = join(aFolder(), 'model');
  await cp(fixture('python/misbehaving'), folder, { recursive: true });
  await writeFile(join(folder, 'at-load'), flag);
  return join(folder, 'model.py');
};

describe('a model that does not load', () => {
  test.each([
    ['the weights do not fit', 'RuntimeError: the weights do not fit'],
    ['import', "No module named 'no_such_package'; a requirements.txt in the model's folder names the packages"],
    ['die', 'it ended with exit code 3; it last printed: the weights cannot be read'],
    ['hang', 'it did not get ready within 1.5 s'],
  ])('%s', async (flag, reason) => {
    const mainPath = await withFlag(flag);
    const loading = aRuntime().load({
      mainPath,
      workers: { count: 2, ...(flag === 'hang' && { loadTimeoutMs: 1_500 }) },
    });
    await expect(loading).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining(reason),
    });
  });

  test('a requirement that nobody offers is named, with the file that it stands in', async () => {
    const folder = join(aFolder(), 'model');
    await mkdir(folder);
    await writeFile(join(folder, 'model.py'), await readFile(misbehaving));
    await writeFile(join(folder, 'requirements.txt'), 'numpy\nscikit-learn==99.9 # the newest\n');
    await expect(aRuntime().load({ mainPath: join(folder, 'model.py') })).rejects.toMatchObject({
      code: 'MODEL_ENVIRONMENT_FAILED',
      message: expect.stringMatching(
        /\(requirements\.txt\).*requirement "scikit-learn==99\.9".*Correct it in requirements\.txt/,
      ),
    });
  });
});
