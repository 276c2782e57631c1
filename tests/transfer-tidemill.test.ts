import { createHash } from 'node:crypto';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { createWebhook } from '../src/contracts/automation.ts';
import {
  exportExperiments,
  exportFiles,
  exportModels,
  exportRuns,
  importModel,
  type ModelRecord,
} from '../src/contracts/transfer.ts';
import { runTidemill } from './support/command-line.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { importInto } from './support/mlflow-stores.ts';

const [runId, otherId] = ['a'.repeat(32), 'b'.repeat(32)];

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** A folder of MLflow with one run; what it says of it is a stranger's word. */
async function aFolder(run: { readonly id: string; readonly folder?: string; readonly artifactUri: string }) {
  const root = join(await temporaryFolder(), 'mlruns');
  const own = join(root, '3', run.folder ?? run.id);
  await write(join(root, '3', 'meta.yaml'), 'experiment_id: "3"\nname: three\nlifecycle_stage: active\n');
  await write(join(own, 'meta.yaml'), `run_id: ${run.id}\nrun_name: one\nartifact_uri: ${run.artifactUri}\n`);
  return { root, own };
}

test('what a store of a stranger names outside of itself stays where it is, and is told', async () => {
  const secrets = await temporaryFolder();
  await write(join(secrets, 'key'), 'secret');
  const { client, url } = await startControlPlane();
  await ensureProject(client, 'moved');
  const project = client.inProject('moved');

  const { root } = await aFolder({ id: runId, artifactUri: `file://${secrets}` });
  const named = await importInto(url, 'moved', ['mlflow', root]);
  expect(named.kept).toMatchObject([
    { count: 1, example: `file://${secrets}`, why: expect.stringContaining(runId) as string },
  ]);
  const linked = await aFolder({ id: otherId, artifactUri: 'elsewhere' });
  await write(join(linked.own, 'artifacts', 'own'), 'its own');
  await symlink(join(secrets, 'key'), join(linked.own, 'artifacts', 'key'));
  const told = await importInto(url, 'moved', ['mlflow', linked.root]);
  expect(told.leftBehind).toMatchObject([{ count: 1, what: expect.stringContaining('artifacts/key') as string }]);

  const [run] = (await project.call(exportRuns, { query: { experimentId: '3' } })).items;
  expect(run?.artifactUri).toBe(`file://${secrets}`);
  const { items } = await project.call(exportFiles, { query: { folder: `3/${otherId}/artifacts` } });
  expect(items).toMatchObject([{ path: `3/${otherId}/artifacts/own` }]);

  const hostile = await aFolder({ id: '../../../elsewhere', folder: runId, artifactUri: secrets });
  const refused = await runTidemill(['import', 'mlflow', hostile.root, '--url', url, '--project', 'moved']);
  expect(refused).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('"../../../elsewhere" is no id (run)') as string,
  });
}, 60_000);

test('an experiment whose runs another project has is refused before it is made, wherever in the store it is', async () => {
  const { client, url } = await startControlPlane();
  for (const name of ['one', 'other']) await ensureProject(client, name);
  const { root } = await aFolder({ id: runId, artifactUri: 'elsewhere' });
  await write(join(root, '4', 'meta.yaml'), 'experiment_id: "4"\nname: four\nlifecycle_stage: active\n');
  await write(join(root, '4', otherId, 'meta.yaml'), `run_id: ${otherId}\nrun_name: two\n`);
  await importInto(url, 'one', ['mlflow', root, '--experiment', 'four']);

  const refused = await runTidemill(['import', 'mlflow', root, '--url', url, '--project', 'other']);
  expect(refused).toMatchObject({ status: 5, stderr: expect.stringContaining(`"${otherId}" is in another`) as string });
  const { items } = await client.inProject('other').call(exportExperiments, { query: {} });
  expect(items.map(({ name }) => name).toSorted()).toEqual(['Default', 'three']);
}, 60_000);

test('a folder that is exported to again has the bytes of today, also where they are as many as before', async () => {
  const { client, url } = await startControlPlane();
  await ensureProject(client, 'again');
  const { root, own } = await aFolder({ id: runId, artifactUri: 'elsewhere' });
  await write(join(own, 'artifacts', 'scores.json'), '{"auc": 0.91}');
  await importInto(url, 'again', ['mlflow', root]);
  const out = join(await temporaryFolder(), 'out');
  const path = `3/${runId}/artifacts/scores.json`;
  const exported = async (): Promise<string> => {
    const args = ['export', 'mlflow', '--to', out, '--url', url, '--project', 'again'];
    expect(await runTidemill(args)).toMatchObject({ status: 0 });
    return await readFile(join(out, path), 'utf8');
  };
  expect(await exported()).toBe('{"auc": 0.91}');
  const place = `/api/2.0/mlflow-artifacts/artifacts/${path}`;
  await client.inProject('again').request(place, { method: 'PUT', body: '{"auc": 0.92}' });
  expect(await exported()).toBe('{"auc": 0.92}');
}, 60_000);

test('versions whose files lie in no folder of a run go on to another Tidemill with their bytes', async () => {
  const [from, to] = [await startControlPlane({ auth: 'on' }), await startControlPlane()];
  await ensureProject(from.client, 'old');
  await ensureProject(to.client, 'new');
  const bytes = 'a model of a pipeline';
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const version = { version: 1, source: '', storageLocation: '', runLink: '', description: '', user: 'ann' };
  const model: ModelRecord = {
    name: 'delays',
    description: '',
    createdMs: 1,
    updatedMs: 1,
    tags: [],
    aliases: [{ alias: 'champion', version: 1 }],
    versions: [
      {
        ...version,
        stage: 'None',
        createdMs: 1,
        updatedMs: 1,
        tags: [],
        files: [{ path: 'model.bin', sha256, sizeBytes: bytes.length }],
      },
    ],
  };
  const old = from.client.inProject('old');
  await old.request(`/api/v1/artifacts/${sha256}`, { method: 'PUT', body: bytes });
  await old.call(importModel, { body: model });

  const source = `${from.url}/projects/old`;
  const args = ['import', 'tidemill', source, '--url', to.url, '--project', 'new'];
  expect(await runTidemill(args)).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('TIDEMILL_SOURCE_TOKEN'),
  });
  const token = (await readFile(join(from.home, 'admin-token'), 'utf8')).trim();
  const first = await importInto(to.url, 'new', ['tidemill', source], { TIDEMILL_SOURCE_TOKEN: token });
  expect(first).toMatchObject({ sentBytes: bytes.length, differences: [], left: [] });
  const fresh = to.client.inProject('new');
  expect((await fresh.call(exportModels, { query: {} })).items).toEqual([model]);
  expect(await (await fresh.request(`/api/v1/artifacts/${sha256}`)).text()).toBe(bytes);
  const again = await importInto(to.url, 'new', ['tidemill', source], { TIDEMILL_SOURCE_TOKEN: token });
  expect(again).toMatchObject({ sentBytes: 0, differences: [], left: [] });
}, 60_000);

test('evaluation datasets, scorers and webhooks stay where they are and are counted; what is wholly there is said to be passed by', async () => {
  const [from, to] = [await startControlPlane({ webhookHosts: '127.0.0.1' }), await startControlPlane()];
  for (const name of ['old', 'new', 'out']) await ensureProject((name === 'old' ? from : to).client, name);
  const { root } = await aFolder({ id: runId, artifactUri: 'elsewhere' });
  await importInto(from.url, 'old', ['mlflow', root]);
  const old = from.client.inProject('old');
  const post = (path: string, body: object) =>
    old.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  for (const name of ['questions', 'answers']) await post('/api/3.0/mlflow/datasets/create', { name });
  for (const name of ['fair', 'fair', 'kind', 'short'])
    await post('/api/3.0/mlflow/scorers/register', { experiment_id: '3', name, serialized_scorer: '{}' });
  const url = 'http://127.0.0.1:9/hook';
  const events = [{ entity: 'MODEL_VERSION', action: 'CREATED' }];
  await post('/api/2.0/mlflow/webhooks', { name: 'theirs', url, events });
  await old.call(createWebhook, { body: { url, types: ['alert.opened'] } });
  const told = await importInto(to.url, 'new', ['tidemill', `${from.url}/projects/old`]);
  const stays = [
    { what: 'evaluation datasets', count: 2 },
    { what: 'scorers', count: 3 },
  ];
  expect(told.leftBehind).toEqual([...stays, { what: 'webhooks', count: 2 }]);

  const exportTo = async (place: string): Promise<string> => {
    const args = ['export', 'mlflow', '--to', place, '--url', from.url, '--project', 'old'];
    const { status, stdout } = await runTidemill(args);
    expect(status).toBe(0);
    for (const what of ['2 evaluation datasets', '3 scorers', '2 webhooks'])
      expect(stdout).toContain(`Not written: ${what}.`);
    return stdout;
  };
  await exportTo(join(await temporaryFolder(), 'out'));
  const server = `${to.url}/projects/out`; // it speaks as MLflow's does
  const first = await exportTo(server);
  expect(first).toContain('1 run, 0 logged models, 0 traces');
  expect(first).not.toContain('Passed by');
  expect(await exportTo(server)).toContain('Passed by, since they were wholly there: 1 run.');
}, 60_000);

test('of a server of MLflow is counted what stays there, and told what it does not say', async () => {
  const [from, to] = [await startControlPlane(), await startControlPlane()];
  await ensureProject(from.client, 'old');
  await ensureProject(to.client, 'new');
  const { root } = await aFolder({ id: runId, artifactUri: 'elsewhere' });
  await importInto(from.url, 'old', ['mlflow', root]);
  await from.client.inProject('old').request('/api/3.0/mlflow/scorers/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ experiment_id: '3', name: 'fair', serialized_scorer: '{}' }),
  });
  const told = await importInto(to.url, 'new', ['mlflow', `${from.url}/projects/old`]);
  expect(told.leftBehind).toEqual([
    { what: 'scorers', count: 1 },
    { what: expect.stringContaining('deleted logged models') as string, count: 0 },
  ]);
}, 60_000);
