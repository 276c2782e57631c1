import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { scrubEnvironment } from '../../src/platform/processes.ts';
import { temporaryFolder } from '../support/control-plane.ts';
import { ensurePython, pythonSetUpMs } from '../support/mlflow-script.ts';
import { serve } from '../support/serve-command.ts';

const run = promisify(execFile);
const scriptMs = 60_000;
const fixtures = join(import.meta.dirname, '../../src/runtimes/fixtures');

let python: string;
beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython('tests/python/requirements/tritonclient.txt'));
}, pythonSetUpMs);

async function aRepository(): Promise<string> {
  const folder = await temporaryFolder();
  await copyFile(join(fixtures, 'breast-cancer.onnx'), join(folder, 'a.onnx'));
  await mkdir(join(folder, 'columns/1'), { recursive: true });
  await copyFile(join(fixtures, 'columns-1.onnx'), join(folder, 'columns/1/model.onnx'));
  await writeFile(join(folder, 'broken.onnx'), 'no model');
  return folder;
}

const notLoaded = (name: string) => [name, '', 'UNAVAILABLE', 'not loaded'];
const at = (url: string) => url.replace('0.0.0.0', '127.0.0.1');
const text = (part: string) => expect.stringContaining(part);

test(
  'an unmodified tritonclient loads, reloads and unloads models of the folder, over REST and gRPC',
  async () => {
    const folder = await aRepository();
    const { url, grpcAddress = '', models } = await serve(folder, '--no-models');
    expect(models).toEqual([]);
    const { stdout } = await run(
      python,
      ['tests/python/triton_control.py', new URL(url).host, grpcAddress, folder, fixtures],
      { env: scrubEnvironment(process.env), timeout: scriptMs },
    );
    const others = [notLoaded('broken'), notLoaded('columns')];
    const loaded = [['a', '1', 'READY', ''], ...others];
    const unloaded = [['a', '1', 'UNAVAILABLE', 'unloaded'], ...others];
    const after = [true, true, loaded, false, unloaded, ['404', text('no version to answer with')]];
    expect(JSON.parse(stdout)).toEqual({
      'at the start': [true, false, [notLoaded('a'), ...others]],
      rest: after,
      grpc: after,
      reload: [11, 11, 12, [['a', '1', 'UNAVAILABLE', 'unloaded'], notLoaded('broken'), ['columns', '1', 'READY', '']]],
      'a broken reload': [['400', text('model "columns" cannot be loaded')], 12],
      mended: [11, [['a', '1', 'UNAVAILABLE', 'unloaded'], notLoaded('broken'), ['columns', '1', 'READY', '']]],
      'a new one': true,
      refused: {
        'load of none': [
          ['404', text('serves no model "nope"')],
          ['StatusCode.NOT_FOUND', text('serves no model "nope"')],
        ],
        'load of one that is gone': ['404', text('serves no model "gone"')],
        'unload of none': [
          ['404', text('serves no model "nope"')],
          ['StatusCode.NOT_FOUND', text('serves no model "nope"')],
        ],
        broken: [
          ['400', text('model "broken" cannot be loaded')],
          ['StatusCode.INVALID_ARGUMENT', text('model "broken" cannot be loaded')],
        ],
        config: [
          ['400', text('not there yet')],
          ['StatusCode.UNIMPLEMENTED', text('not there yet')],
        ],
        files: ['400', text('not there yet')],
      },
    });
  },
  scriptMs,
);

const post = async (url: string, path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(new URL(path, url), { method: 'POST', headers, body: '{}' });
  return [response.status, await response.text()];
};

test('what was chosen at the start is followed by what is asked for, and what was unloaded stays so when it changes', async () => {
  const folder = await aRepository();
  const { url, models } = await serve(folder, '--models', 'columns', '--watch');
  expect(models).toEqual([{ name: 'columns', versions: ['1'] }]);
  expect(await post(url, '/v2/repository/models/a/load')).toEqual([200, '']);
  expect(await post(url, '/v2/repository/models/columns/unload')).toEqual([200, '']);
  await copyFile(join(fixtures, 'columns-2.onnx'), join(folder, 'columns/1/model.onnx'));
  await copyFile(join(fixtures, 'gather.onnx'), join(folder, 'later.onnx'));
  const index = async () => JSON.parse(String((await post(url, '/v2/repository/index'))[1])) as readonly object[];
  await expect.poll(index, { timeout: 10_000 }).toContainEqual(expect.objectContaining({ name: 'later' }));
  expect(await index()).toEqual([
    { name: 'a', version: '1', state: 'READY', reason: '' },
    { name: 'broken', state: 'UNAVAILABLE', reason: 'not loaded' },
    { name: 'columns', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
    { name: 'later', state: 'UNAVAILABLE', reason: 'not loaded' },
  ]);
});

test('the requests of docs/serving.md work as they stand', async () => {
  const [, block = ''] =
    /<!-- run: control -->\n```sh\n.*?\n(.*?)```/s.exec(await readFile('docs/serving.md', 'utf8')) ?? [];
  const folder = await aRepository();
  await rename(join(folder, 'a.onnx'), join(folder, 'bc.onnx'));
  const { url } = await serve(folder, '--no-models');
  const { stdout } = await run('sh', ['-euc', block], { env: { ...scrubEnvironment(process.env), SERVING: url } });
  expect(JSON.parse(stdout)).toContainEqual({ name: 'bc', version: '1', state: 'READY', reason: '' });
  expect((await fetch(`${url}/v2/models/bc/ready`)).status).toBe(404);
});

test('callers of other machines may ask and not unload, unless it is said; a token that is required is', async () => {
  const folder = await aRepository();
  const tokens = join(await temporaryFolder(), 'tokens');
  await writeFile(tokens, 'one\ntwo\n');
  const open = await serve(folder, '--host', '0.0.0.0', '--models', 'a');
  expect((await fetch(`${at(open.url)}/v2/models/a`)).status).toBe(200);
  expect(await post(at(open.url), '/v2/repository/models/a/unload')).toEqual([400, text('--model-control on')]);
  expect(open.said()).toContain('--require-token');
  await open.stop();

  const closed = await serve(folder, '--require-token', tokens, '--no-models');
  const load = '/v2/repository/models/a/load';
  expect(await post(closed.url, load)).toEqual([401, text('needs a token')]);
  expect(await post(closed.url, load, { authorization: 'Bearer three' })).toEqual([401, text('accepts')]);
  expect(await post(closed.url, load, { authorization: 'Bearer two' })).toEqual([200, '']);
  expect((await fetch(`${closed.url}/v2/models/a`)).status).toBe(401);
  expect((await fetch(`${closed.url}/v2/models/a`, { headers: { authorization: 'Bearer one' } })).status).toBe(200);
});
