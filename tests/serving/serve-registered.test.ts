import { createHash } from 'node:crypto';
import { readdir, readFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { artifactPath } from '../../src/contracts/artifacts.ts';
import { setModelAlias } from '../../src/contracts/registry.ts';
import { callInLoops } from '../../src/serving/testing/plane-in-test.ts';
import { columnsBody, fixture, post } from '../../src/serving/testing/test-plane.ts';
import { runTidemill } from '../support/command-line.ts';
import { startControlPlane, type TestControlPlane, temporaryFolder } from '../support/control-plane.ts';
import { pythonSetUpMs } from '../support/mlflow-script.ts';
import { serveWith } from '../support/serve-command.ts';

const project = 'default';

/** Registers a version, as a pipeline does, that the alias names from then on. */
async function register(
  { client, control, platform }: TestControlPlane,
  file: string,
  runtime: 'onnx' | 'python' = 'onnx',
): Promise<void> {
  const bytes = await readFile(fixture(file));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await client.request(artifactPath.replace(':sha256', sha256), { method: 'PUT', body: new Uint8Array(bytes) });
  await platform.database.write({ actor: 'user:test' }, (unit) =>
    control.modules.records.registry.proposeVersion(unit, {
      project,
      model: 'late',
      digest: sha256,
      files: [{ path: runtime === 'onnx' ? 'model.onnx' : 'model.py', sha256, sizeBytes: bytes.length }],
      runtime,
      alias: 'champion',
      checks: [],
    }),
  );
}

const score = async (url: string): Promise<unknown> =>
  (await post(`${url}/v2/models/late/infer`, columnsBody(10))).json.outputs?.[0]?.data[0];

test('a version of the registry is fetched once, and served again without the control plane', async () => {
  const plane = await startControlPlane();
  await register(plane, 'columns-1.onnx');
  await register(plane, 'columns-2.onnx');
  const home = await temporaryFolder();
  const named = { environment: { TIDEMILL_URL: plane.url } };
  const start = (what: string) => serveWith(named, what, '--home', home);

  const exact = await start('model:late@1');
  expect([exact.models, await score(exact.url)]).toEqual([[{ name: 'late', versions: ['1'] }], 11]);
  exact.child.kill('SIGKILL');
  const alias = await start('models:/late@champion');
  expect([alias.models, await score(alias.url)]).toEqual([[{ name: 'late', versions: ['2'] }], 12]);
  expect(alias.said()).toBe('');
  expect(await alias.stop()).toBe(0);
  const none = await runTidemill(['serve', 'model:late@9', '--home', home], named);
  expect([none.status, none.stderr]).toEqual([3, expect.stringContaining('late')]);

  await plane.control.stop();
  const again = await start('model:late@1');
  expect(await score(again.url)).toBe(11);
  await again.stop();
  const last = await start('model:late@champion');
  expect(await score(last.url)).toBe(12);
  expect(last.said()).toContain('model:late@champion is served as it was last known, version 2');
  await last.stop();
  const unknown = await runTidemill(['serve', 'model:late@challenger', '--home', home], named);
  expect([unknown.status, unknown.stderr]).toEqual([6, expect.stringContaining('is the server running?')]);
}, 60_000);

test('what is not served any more leaves the cache, but never what another process of it uses', async () => {
  const plane = await startControlPlane();
  await register(plane, 'columns-1.onnx');
  await register(plane, 'columns-2.onnx');
  const cwd = await temporaryFolder(); // both keep what they fetch in its .tidemill
  const named = { environment: { TIDEMILL_URL: plane.url, TIDEMILL_CACHE_BYTES: '0' }, cwd };
  const fetched = async () =>
    (await readdir(join(cwd, '.tidemill/serve/files'))).filter((name) => /^[0-9a-f]{64}$/.test(name)).length;
  const first = await serveWith(named, 'model:late@1', '--cache-bytes', '1000000');
  const second = await serveWith(named, 'model:late@2');
  expect([await score(first.url), await score(second.url), await fetched()]).toEqual([11, 12, 2]);
  await second.stop();
  const gone = new Promise((done) => first.child.once('exit', done));
  first.child.kill('SIGKILL');
  await gone;
  const third = await serveWith(named, 'model:late@2');
  expect([await score(third.url), await fetched()]).toEqual([12, 1]);
  await third.stop();
}, 60_000);

test('with --watch an alias that moves is followed without a failed request, and left when the control plane is away', async () => {
  const plane = await startControlPlane();
  await register(plane, 'columns-1.onnx');
  await register(plane, 'columns-2.onnx');
  const home = await temporaryFolder();
  const { url, said } = await serveWith(
    { environment: { TIDEMILL_URL: plane.url } },
    'model:late@champion',
    '--watch',
    '--home',
    home,
  );
  const calls = callInLoops(`${url}/v2/models/late/infer`, 4);
  await calls.reached(20);
  await plane.client.call(setModelAlias, { params: { model: 'late', alias: 'champion' }, body: { version: 1 } });
  await expect.poll(() => score(url), { timeout: 20_000 }).toBe(11);
  await plane.control.stop();
  await expect.poll(said, { timeout: 20_000 }).toContain('served as it was last known, version 1');
  await calls.stop();
  expect(calls.failures).toBe(0);
  expect(new Set(calls.answered.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(calls.answered.map(({ revision }) => revision?.split('-')[0]))).toEqual(new Set(['late@2', 'late@1']));
  expect(await score(url)).toBe(11);
}, 30_000);

test(
  'a version in Python is served so too, in the environment that the home keeps',
  async () => {
    const plane = await startControlPlane();
    await register(plane, 'python/columns/model.py', 'python');
    const home = await temporaryFolder();
    await symlink(resolve('node_modules/.cache/tidemill-python'), join(home, 'python')); // which other tests have filled
    const named = { environment: { TIDEMILL_URL: plane.url } };
    const { url, stop } = await serveWith(named, 'model:late@champion', '--home', home);
    expect(await score(url)).toBe(11);
    expect(await stop()).toBe(0);
    await plane.control.stop();
    const again = await serveWith(named, 'model:late@1', '--home', home);
    expect(await score(again.url)).toBe(11);
    expect(await again.stop()).toBe(0);
  },
  pythonSetUpMs,
);
