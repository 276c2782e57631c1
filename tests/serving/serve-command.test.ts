import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runTidemill } from '../support/command-line.ts';
import { temporaryFolder } from '../support/control-plane.ts';
import { serve, serveWith } from '../support/serve-command.ts';

const fixtures = join(import.meta.dirname, '../../src/runtimes/fixtures');
const sample = JSON.parse(await readFile(join(fixtures, 'breast-cancer.json'), 'utf8')) as {
  readonly rows: readonly (readonly number[])[];
  readonly probabilities: readonly number[];
};

const guide = await readFile(join(import.meta.dirname, '../../docs/serving.md'), 'utf8');

const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 30], data: sample.rows[0] }];
async function ask(url: string, path: string, body?: object): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(new URL(path, url), body && { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, answer: await response.json().catch(() => undefined) };
}
const infer = (url: string, model: string) => ask(url, `/v2/models/${model}/infer`, { inputs });

test('one file is served by one command, and Ctrl-C ends it', async () => {
  const { url, models, child } = await serve(join(fixtures, 'breast-cancer.onnx'));
  expect(models).toEqual([{ name: 'breast-cancer', versions: ['1'] }]);
  expect((await ask(url, '/v2/health/ready')).status).toBe(200);
  const { status, answer } = await infer(url, 'breast-cancer');
  expect(status).toBe(200);
  const { outputs, model_version: version } = answer as {
    readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
    readonly model_version: string;
  };
  expect(version).toBe('1');
  expect(outputs.find(({ name }) => name === 'probabilities')?.data[1]).toBeCloseTo(sample.probabilities[0] ?? 0, 5);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  expect(await ended).toBe(0);
});

test('a repository of Triton is served: each version by its number, the newest without; what is broken is told', async () => {
  const folder = await temporaryFolder();
  for (const version of [1, 2]) {
    await mkdir(join(folder, `columns/${version}`), { recursive: true });
    await copyFile(join(fixtures, `columns-${version}.onnx`), join(folder, `columns/${version}/model.onnx`));
  }
  await writeFile(join(folder, 'columns/config.pbtxt'), 'version_policy { all {} }');
  await mkdir(join(folder, 'odd'));
  await writeFile(join(folder, 'odd/config.pbtxt'), 'backend: "tensorrt"');
  await copyFile(join(fixtures, 'breast-cancer.onnx'), join(folder, 'bc.onnx'));
  const { url, models, said } = await serve(folder, '--models', 'columns,odd');
  expect(models).toEqual([{ name: 'columns', versions: ['1', '2'] }]);
  expect(said()).toContain('model \\"odd\\" is not served: its backend \\"tensorrt\\"');
  const body = {
    inputs: [
      { name: 'carrier', datatype: 'BYTES', shape: [1, 1], data: ['AA'] },
      { name: 'flight', datatype: 'INT64', shape: [1, 1], data: [1] },
      { name: 'distance', datatype: 'FP32', shape: [1, 1], data: [10] },
    ],
  };
  const score = async (path: string) => {
    const { answer } = await ask(url, path, body);
    return (answer as { readonly outputs: readonly { readonly data: readonly number[] }[] }).outputs[0]?.data;
  };
  expect(await score('/v2/models/columns/infer')).toEqual([12]);
  expect(await score('/v2/models/columns/versions/1/infer')).toEqual([11]);
  expect((await infer(url, 'bc')).status).toBe(404);
});

test('a program is served by its folder, and one of a folder of these', async () => {
  const body = { inputs: [{ name: 'index', datatype: 'INT64', shape: [2], data: [2, 0] }] };
  for (const [folder, ...more] of [['command/gather'], ['command', '--models', 'gather']]) {
    const { url, models } = await serve(join(fixtures, folder ?? ''), ...more);
    expect(models).toEqual([{ name: 'gather', versions: ['1'] }]);
    const { answer } = await ask(url, '/v2/models/gather/infer', body);
    expect(answer).toMatchObject({ outputs: [{ name: 'value', data: [30, 10] }] });
  }
});

test('the command of docs/serving.md works as it stands', async () => {
  const [, command = ''] = /<!-- run: serve -->\n```sh\ntidemill serve (.*)\n/.exec(guide) ?? [];
  const [path = '', ...more] = command.split(' ');
  const folder = join(await temporaryFolder(), path);
  await mkdir(folder);
  await copyFile(join(fixtures, 'breast-cancer.onnx'), join(folder, 'bc.onnx'));
  const { url, grpcAddress } = await serve(folder, ...more);
  expect((await infer(url, 'bc')).status).toBe(200);
  expect(grpcAddress).toMatch(/^127\.0\.0\.1:\d+$/);
});

test('with --watch what changes on disk is served without a failed request', async () => {
  const folder = await temporaryFolder();
  const put = async (from: string, to: string) => {
    await copyFile(join(fixtures, from), join(folder, '.part'));
    await rename(join(folder, '.part'), join(folder, to));
  };
  await put('breast-cancer.onnx', 'a.onnx');
  const { url } = await serve(folder, '--watch');
  let stopped = false;
  const statuses = new Set<number>();
  const load = Array.from({ length: 4 }, async () => {
    while (!stopped) statuses.add((await infer(url, 'a')).status);
  });
  await put('breast-cancer.onnx', 'b.onnx');
  await expect.poll(async () => (await infer(url, 'b')).status, { timeout: 20_000 }).toBe(200);
  await put('breast-cancer.onnx', 'a.onnx'); // another file of the same bytes
  await put('columns-1.onnx', 'b.onnx');
  await expect.poll(async () => (await infer(url, 'b')).status, { timeout: 20_000 }).toBe(400);
  await rm(join(folder, 'b.onnx'));
  await expect.poll(async () => (await infer(url, 'b')).status, { timeout: 20_000 }).toBe(404);
  stopped = true;
  await Promise.all(load);
  expect([...statuses]).toEqual([200]);
}, 60_000);

test('a file that cannot be loaded is told in the log, at the start and with --watch, once; and that it can again', async () => {
  const folder = await temporaryFolder();
  const model = join(fixtures, 'breast-cancer.onnx');
  await copyFile(model, join(folder, 'fine.onnx'));
  await writeFile(join(folder, 'broken.onnx'), 'no model');
  const { url, models, said } = await serve(folder, '--watch');
  expect(models).toEqual([{ name: 'fine', versions: ['1'] }]);
  const told = (name: string) => said().match(new RegExp(`"${name}@1-\\w+\\\\": the model cannot be loaded`, 'g'));
  await expect.poll(() => told('broken')).toHaveLength(1);
  await writeFile(join(folder, 'fine.onnx'), 'no model either');
  await expect.poll(() => told('fine'), { timeout: 20_000 }).toHaveLength(1);
  expect((await infer(url, 'fine')).status).toBe(200); // as it was
  await copyFile(model, join(folder, 'broken.onnx'));
  await expect
    .poll(said, { timeout: 20_000 })
    .toMatch(/"endpoint":"broken","msg":"all that is described is served again"/);
  expect([told('broken'), told('fine')]).toEqual([[expect.anything()], [expect.anything()]]);
}, 60_000);

test('after kill -9 the next start of the same home and ports answers, and the folder is as it was', async () => {
  const folder = await temporaryFolder();
  const home = await temporaryFolder();
  await copyFile(join(fixtures, 'breast-cancer.onnx'), join(folder, 'a.onnx'));
  const first = await serve(folder, '--home', home, '--watch');
  const { port } = new URL(first.url);
  const underWay = Array.from({ length: 8 }, () => infer(first.url, 'a').then(({ status }) => status));
  const broken = Promise.allSettled(underWay);
  first.child.kill('SIGKILL');
  await broken; // answered or cut off, and none waits for ever
  const again = await serve(folder, '--home', home, '--serving-port', port);
  expect((await infer(again.url, 'a')).status).toBe(200);
  expect(await readdir(folder)).toEqual(['a.onnx']);
  expect(await again.stop()).toBe(0);
});

test('a home is taken by one process; a temporary one that a killed process has left is removed by the next start', async () => {
  const [home, temporary] = [await temporaryFolder(), await temporaryFolder()];
  const model = join(fixtures, 'gather.onnx');
  const first = await serve(model, '--home', home);
  expect(await says(5, model, '--home', home)).toMatch(/is used by process \d+, since .*--home/);
  expect(await first.stop()).toBe(0);
  expect(await (await serve(model, '--home', home)).stop()).toBe(0);

  const there = { environment: { TMPDIR: temporary } };
  const killed = await serveWith(there, model);
  const running = await serveWith(there, model);
  const gone = new Promise((resolve) => killed.child.once('exit', resolve));
  killed.child.kill('SIGKILL');
  await gone;
  expect(await readdir(temporary)).toHaveLength(2);
  const last = await serveWith(there, model);
  expect(await readdir(temporary)).toHaveLength(2);
  expect([await running.stop(), await last.stop(), await readdir(temporary)]).toEqual([0, 0, []]);
}, 30_000);

test('limits may be said by variables, which options overrule', async () => {
  const model = join(fixtures, 'breast-cancer.onnx');
  const environment = { TIDEMILL_MAX_BODY_BYTES: '10', TIDEMILL_SERVING_PORT: 'none', TIDEMILL_GRPC_PORT: 'off' };
  const { url, grpcAddress } = await serveWith({ environment }, model);
  expect([(await infer(url, 'breast-cancer')).status, grpcAddress]).toEqual([413, expect.stringContaining(':')]);
  const wrong = await runTidemill(['serve', model], { environment });
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    expect.stringContaining('TIDEMILL_SERVING_PORT is "none". It takes a whole number up to 65535.'),
  ]);
});

test('--grpc-port off listens for REST alone', async () => {
  const { url, grpcAddress } = await serve(join(fixtures, 'breast-cancer.onnx'), '--grpc-port', 'off');
  expect(grpcAddress).toBeUndefined();
  expect((await infer(url, 'breast-cancer')).status).toBe(200);
});

const says = async (code: number, ...args: readonly string[]) => {
  const { status, stdout, stderr } = await runTidemill(['serve', ...args, '--serving-port', '0', '--grpc-port', '0']);
  expect([status, stdout, stderr.trim().split('\n').length]).toEqual([code, '', 1]);
  return stderr;
};

test('what cannot be served is refused in one sentence', async () => {
  const folder = await temporaryFolder();
  expect(await says(2, folder)).toContain('nothing in it is a model; it takes files (.onnx');
  expect(await says(2, join(folder, 'none'))).toContain('there is nothing');
  expect(await says(2, fixtures, '--models', 'breast-cance')).toContain('did you mean "breast-cancer"?');
  await writeFile(join(folder, 'broken.onnx'), 'no model');
  expect(await says(2, folder)).toContain('model "broken" cannot be loaded');
  const repository = await temporaryFolder();
  await mkdir(join(repository, 'odd'));
  await writeFile(join(repository, 'odd/config.pbtxt'), 'backend: "tensorrt"');
  expect(await says(2, repository)).toContain('model "odd" cannot be loaded: its backend "tensorrt"');
});
