import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { findDataPlane } from '../../src/app/data-plane-process.ts';
import { ensureProject } from '../../src/cli/workspace/send.ts';
import { flushDeployment } from '../../src/contracts/deployments.ts';
import { getGraph } from '../../src/contracts/graphs.ts';
import { traceLineage } from '../../src/contracts/lineage.ts';
import { getPrediction } from '../../src/contracts/predictions.ts';
import { setModelAlias } from '../../src/contracts/registry.ts';
import { servingHeaders } from '../../src/contracts/serving.ts';
import { importModel } from '../../src/contracts/transfer.ts';
import { scrubEnvironment } from '../../src/platform/processes.ts';
import type { Client } from '../../src/sdk/index.ts';
import { aLocalPlane } from '../../src/serving/testing/local-plane-in-test.ts';
import { fixture } from '../../src/serving/testing/test-plane.ts';
import { temporaryFolder } from '../support/control-plane.ts';
import { ensurePython, pythonSetUpMs } from '../support/mlflow-script.ts';
import { createTestProject } from '../support/project.ts';
import { startPair } from '../support/running-server.ts';

const run = promisify(execFile);
const page = readFile(join(import.meta.dirname, '../../docs/graphs.md'), 'utf8');
const block = async (mark: string) =>
  new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(await page)?.[1] ?? '';

let python: string;
beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython('tests/python/requirements/tritonclient.txt'));
}, pythonSetUpMs);

/** Scores are distance + 1 and distance + 2. */
async function registerModels(client: Client, url: string): Promise<void> {
  const files = await Promise.all(
    [1, 2].map(async (plus) => {
      const bytes = await readFile(fixture(`columns-${plus}.onnx`));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await fetch(`${url}/projects/flights/api/v1/artifacts/${sha256}`, { method: 'PUT', body: bytes });
      return { path: 'model.onnx', sha256, sizeBytes: bytes.length };
    }),
  );
  const version = (number: number, plus: number) => ({
    version: number,
    source: '',
    storageLocation: '',
    runLink: '',
    description: '',
    stage: 'None' as const,
    user: 'ada',
    createdMs: 1,
    updatedMs: 1,
    tags: [],
    files: [files[plus - 1] ?? { path: '', sha256: '', sizeBytes: 0 }],
  });
  const model = (name: string, versions: readonly ReturnType<typeof version>[]) =>
    client.call(importModel, {
      body: {
        name,
        description: '',
        createdMs: 1,
        updatedMs: 1,
        tags: [],
        aliases: [{ alias: 'champion', version: 1 }],
        versions: [...versions],
      },
    });
  await model('long', [version(1, 2)]);
  await model('short', [version(1, 1), version(2, 2)]);
}

test('the graph of docs/graphs.md is declared, made of exact versions, rolled out and asked by tritonclient; its models move it', {
  timeout: 90_000,
}, async () => {
  const pair = await startPair(['--auth', 'off', '--grpc-port', '0']);
  const client = await ensureProject(pair.client(), 'flights');
  const project = await createTestProject(pair.client(), await block('file: tidemill\\.yaml'));
  await project.apply();
  const show = () => client.call(getGraph, { params: { name: 'delay' } });
  await expect
    .poll(show)
    .toMatchObject({ state: 'waiting', reason: 'node "short" waits for model:short@champion, which is not there yet' });
  await registerModels(client, pair.url());
  await expect
    .poll(show, { timeout: 10_000 })
    .toMatchObject({ state: 'made', version: 1, members: ['model:short@1', 'model:long@1'] });

  const address = `${pair.servingUrl()}/projects/flights/v2/models/delay`;
  const answer = async () => {
    const inputs = [
      { name: 'carrier', datatype: 'BYTES', shape: [1, 1], data: ['UA'] },
      { name: 'flight', datatype: 'INT64', shape: [1, 1], data: [1] },
      { name: 'distance', datatype: 'FP32', shape: [1, 1], data: [7] },
    ];
    const response = await fetch(`${address}/infer`, { method: 'POST', body: JSON.stringify({ inputs }) });
    const body = (await response.json()) as {
      model_version?: string;
      outputs?: readonly { readonly data: readonly unknown[] }[];
    };
    const seen = [body.model_version, ...(body.outputs ?? []).map(({ data }) => data[0])];
    return { seen, predictionId: response.headers.get(servingHeaders.predictionId) ?? '' };
  };
  await expect.poll(async () => (await answer()).seen, { timeout: 30_000 }).toEqual(['1', 8, 'short']);

  const grpcAddress = (await findDataPlane(join(pair.home, 'serving')))?.grpcAddress ?? '';
  const { stdout } = await run(
    python,
    ['tests/python/triton_graph.py', `${new URL(address).host}/projects/flights`, grpcAddress, 'flights/delay'],
    { env: scrubEnvironment(process.env) },
  );
  const parted = { score: [51, 1402, 100], by: ['short', 'long', 'short'] };
  expect(JSON.parse(stdout)).toMatchObject({
    metadata: { platform: 'ensemble', versions: ['1'] },
    rest: parted,
    grpc: parted,
  });

  const { predictionId } = await answer();
  await client.call(flushDeployment, { params: { name: 'delay' }, body: { timeout: 30 } });
  const recorded = await client.call(getPrediction, { params: { predictionId } });
  expect(recorded).toMatchObject({
    model: 'model:delay@1',
    rows: [{ inputs: { distance: 7 }, outputs: { score: 8, by: 'short' } }],
  });
  const { nodes } = await client.call(traceLineage, {
    query: { ref: `prediction:${predictionId}.0`, direction: 'up' },
  });
  expect(nodes.map(({ ref }) => ref)).toEqual(
    expect.arrayContaining(['model:delay@1', 'model:short@1', 'model:long@1', 'graph:delay']),
  );
  const metrics = await (await fetch(`${pair.servingUrl()}/metrics`)).text();
  expect(metrics).toMatch(/tidemill_serving_branch_rows_total\{.*node="by_distance",branch="long"\} 2\n/);

  const move = (version: number) =>
    client.call(setModelAlias, { params: { model: 'short', alias: 'champion' }, body: { version } });
  await move(2);
  await expect.poll(async () => (await answer()).seen, { timeout: 20_000 }).toEqual(['2', 9, 'short']);
  await move(1);
  await expect.poll(async () => (await answer()).seen, { timeout: 20_000 }).toEqual(['1', 8, 'short']);
});

test('a folder with a graph.yaml is served from disk as docs/graphs.md has it', async () => {
  const cwd = await temporaryFolder();
  await mkdir(join(cwd, 'models/delay'), { recursive: true });
  await copyFile(fixture('columns-1.onnx'), join(cwd, 'models/short.onnx'));
  await copyFile(fixture('columns-2.onnx'), join(cwd, 'models/long.onnx'));
  await writeFile(join(cwd, 'models/delay/graph.yaml'), await block('file: models/delay/graph\\.yaml'));
  const plane = await aLocalPlane(join(cwd, 'models'), { only: undefined });
  expect(plane.models).toContainEqual({ name: 'delay', versions: ['1'] });
  const script = await block('run: graph');
  const { stdout } = await run('sh', ['-euc', script], {
    env: { ...scrubEnvironment(process.env), SERVING: plane.url },
  });
  expect(JSON.parse(stdout)).toMatchObject({
    score: [(3 * 1401 + 142) / 4, (3 * 51 + 7) / 4],
    answer: ['late', 'on time'],
  });
});
