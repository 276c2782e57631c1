import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { exportFiles, exportHistories, exportModels, exportRuns } from '../src/contracts/transfer.ts';
import { runTidemill } from './support/command-line.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { importInto } from './support/mlflow-stores.ts';

const [oddId, plainId] = ['a'.repeat(32), 'b'.repeat(32)];
const oddAddress = 'mlflow-artifacts:/../x';

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** A folder of MLflow in which a run, a file and a version have names or addresses that nothing can take. */
async function anOddStore(): Promise<string> {
  const root = join(await temporaryFolder(), 'mlruns');
  await write(join(root, '3', 'meta.yaml'), 'experiment_id: "3"\nname: three\nlifecycle_stage: active\n');
  for (const [id, address] of [
    [oddId, oddAddress],
    [plainId, 'elsewhere'],
  ] as const)
    await write(join(root, '3', id, 'meta.yaml'), `run_id: ${id}\nrun_name: one\nartifact_uri: ${address}\n`);
  for (const name of ['own', 'back\\slash']) await write(join(root, '3', plainId, 'artifacts', name), 'bytes');
  for (const name of ['first', 'second']) {
    const source = name === 'first' ? oddAddress : `${root}/3/${plainId}/artifacts`;
    await write(join(root, 'models', name, 'meta.yaml'), `name: ${name}\ncreation_timestamp: 5\n`);
    await write(
      join(root, 'models', name, 'version-1', 'meta.yaml'),
      `name: ${name}\nversion: 1\ncreation_timestamp: 5\nsource: ${source}\nstorage_location: ${source}\n`,
    );
  }
  return root;
}

test('an odd address or name ends no transfer: it is told with what has it, and the rest is there', async () => {
  const { client, url } = await startControlPlane();
  const there = await startControlPlane();
  for (const name of ['moved', 'exported']) {
    await ensureProject(client, name);
    await ensureProject(there.client, name);
  }
  const oddVersion = `files of version 1 of model "first" at ${oddAddress}: that is no folder inside of the store of artifacts`;

  const came = await importInto(url, 'moved', ['mlflow', await anOddStore()]);
  expect(came).toMatchObject({ differences: [], left: [expect.stringContaining(plainId) as string, oddVersion] });
  expect(came.left[0]).toContain(String.raw`"back\\slash"`);
  const odd = {
    count: 1,
    owner: `run ${oddId}`,
    example: oddAddress,
    why: expect.stringContaining('no folder') as string,
  };
  expect(came.kept).toMatchObject([odd]);

  const project = client.inProject('moved');
  const { items: runs } = await project.call(exportRuns, { query: { experimentId: '3' } });
  expect(runs.map(({ run }) => run.id).toSorted()).toEqual([oddId, plainId]);
  const { items: files } = await project.call(exportFiles, { query: { folder: `3/${plainId}/artifacts` } });
  expect(files).toMatchObject([{ path: `3/${plainId}/artifacts/own` }]);
  const { items: models } = await project.call(exportModels, { query: {} });
  expect(models).toMatchObject([
    { name: 'first', versions: [{ source: oddAddress, files: [] }] },
    { name: 'second', versions: [{ files: [{ path: 'own' }] }] },
  ]);

  // from there on the address is that of a project of a Tidemill
  const further = await importInto(there.url, 'moved', ['tidemill', `${url}/projects/moved`]);
  expect(further).toMatchObject({ differences: [], left: [oddVersion], kept: [odd] });
  const target = ['--to', `${there.url}/projects/exported`, '--url', url, '--project', 'moved'];
  const exported = await runTidemill(['export', 'mlflow', ...target]);
  expect(exported).toMatchObject({ stderr: expect.not.stringContaining('rror') as string, status: 0 });
  expect(exported.stdout).toContain(`Not written: files of run ${oddId}, which stay at ${oddAddress}.`);
  expect(exported.stdout).toContain('Not written: version 1 of model "first"');
  expect(exported.stdout).toContain('2 runs');
}, 60_000);

test('a point whose step or time no number of JSON holds ends no import: it is told, and the rest is there', async () => {
  const { client, url } = await startControlPlane();
  await ensureProject(client, 'moved');
  const root = await anOddStore();
  await write(join(root, '3', plainId, 'metrics', 'loss'), '1 0.5 0\n2 0.25 9223372036854775807\n3 0.125 2\n');
  await write(join(root, '3', plainId, 'metrics', 'late'), '1795860736131000000 1 0\n');
  await write(
    join(root, '3', oddId, 'meta.yaml'),
    `run_id: ${oddId}\nrun_name: one\nstart_time: 1795860736131000000\n`,
  );
  await write(
    join(root, '3', plainId, 'meta.yaml'),
    `run_id: ${plainId}\nrun_name: one\nstart_time: -1795860736131000000\n`,
  );
  const modelId = `m-${'c'.repeat(32)}`;
  const model = join(root, '3', 'models', modelId);
  await write(join(model, 'meta.yaml'), `model_id: ${modelId}\nname: one\nexperiment_id: "3"\nstatus: 1\n`);
  await write(join(model, 'metrics', 'auc'), `1 0.5 0 ${plainId}\n2 0.25 1795860736131000000 ${plainId}\n`);

  const came = await importInto(url, 'moved', ['mlflow', root]);
  expect(came).toMatchObject({ differences: [] });
  const leftOf = ({ left }: typeof came) => left.filter((told) => told.includes('2^53'));
  expect(leftOf(came)).toEqual([
    `the start or end of run ${oddId}, whose time is beyond 2^53`,
    `the start or end of run ${plainId}, whose time is beyond 2^53`,
    `1 points of the metric "late" of run ${plainId}, whose step or time is beyond 2^53`,
    `1 points of the metric "loss" of run ${plainId}, whose step or time is beyond 2^53`,
    `1 points of the metric "auc" of logged model ${modelId}, whose step or time is beyond 2^53`,
  ]);
  const { items } = await client.inProject('moved').call(exportHistories, { query: { runId: plainId } });
  expect(items).toEqual([{ runId: plainId, key: 'loss', atMs: [1, 3], steps: [0, 2], values: [0.5, 0.125] }]);
  expect(leftOf(await importInto(url, 'moved', ['mlflow', root]))).toEqual([]); // what is passed by has been told
}, 60_000);

test('a model that the project does not take is told, and the others come', async () => {
  const { client, url } = await startControlPlane();
  await ensureProject(client, 'moved');
  const root = await anOddStore();
  await write(join(root, 'models', 'first', 'meta.yaml'), 'name: by/slash\ncreation_timestamp: 5\n');
  const args = ['import', 'mlflow', root, '--url', url, '--project', 'moved'];
  const { status, stdout } = await runTidemill(args);
  expect(status).toBe(1);
  expect(stdout).toContain('- model "by/slash" is not here: ');
  const { items } = await client.inProject('moved').call(exportModels, { query: {} });
  expect(items.map(({ name }) => name)).toEqual(['second']);
}, 60_000);
