import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listEvents } from '../src/contracts/event-operations.ts';
import { cancelRun, getRun, startRun } from '../src/contracts/pipelines.ts';
import { abortRollout, listRollouts } from '../src/contracts/rollouts.ts';
import type { Client } from '../src/sdk/index.ts';
import { collect, runTidemill, startTidemill } from './support/command-line.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { createTestProject, type TestProject } from './support/project.ts';
import { startPair } from './support/running-server.ts';
import { copyingPipeline, flightRows, modelBytes } from './support/served-model.ts';

const loop = (more: string, mark = '00000000') => `project: flights
datasets:
  flights: { source: data/*.csv, time: time_hour }
  ticks: { source: ticks/*.csv }
pipelines:
  train:${copyingPipeline('late', more).replace('00000000', mark)}
triggers:
  - { on: dataset:flights, run: pipeline:train }
  - { on: dataset:ticks, run: pipeline:train }
deployments:
  late: { model: "model:late@champion", rollout: { steps: [10, 100], each: { requests: 50 } } }
`;

async function openLoop(root: Client, more = ''): Promise<TestProject> {
  const project = await createTestProject(root, loop(more));
  await project.write('model.onnx', await modelBytes());
  await project.write('data/1.csv', flightRows);
  return project;
}

interface Applied {
  readonly runs: readonly { readonly pipeline: string; readonly state: string }[];
  readonly rollouts: readonly { readonly version: number; readonly state: string }[];
  readonly waiting: readonly { readonly subject: string; readonly reason: string }[];
  readonly failures: readonly string[];
}

test('apply --wait follows the run that its data triggered and the rollout of what that trained; not a canary', async () => {
  const pair = await startPair();
  const project = await openLoop(pair.client());
  const apply = (...more: readonly string[]) =>
    runTidemill(['apply', '--wait', '--url', pair.url(), ...more], { cwd: project.folder });

  const first = await apply('--json');
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(first.stdout)).toMatchObject({
    landings: [{ dataset: 'flights', state: 'published', version: 1 }],
    runs: [{ pipeline: 'train', state: 'succeeded' }],
    rollouts: [{ deployment: 'late', model: 'late', version: 1, state: 'completed' }],
    waiting: [],
    failures: [],
  });

  await project.write('tidemill.yaml', loop('', '00000001'));
  await project.write('ticks/1.csv', 'a\n1\n');
  const second = await apply();
  expect(second).toEqual({ status: 0, stdout: 'Applied 1 change to project flights.\n', stderr: expect.anything() });
  expect(second.stderr).toMatch(/ticks: version 1\n {2}trigger: pipeline:train\n {2}run of train begins: /);
  expect(second.stderr).toContain('  rollout: 10 % of the traffic\n');
  expect(second.stderr.trim().split('\n').at(-1)).toBe(
    'rollout of version 2 of late waits for traffic: 0 of 50 answers',
  );

  expect(await apply()).toMatchObject({ status: 0, stdout: 'Nothing to change.\n', stderr: '' });
}, 120_000);

test('run --wait ends when what it trained answers, and says of a canary what it waits for', async () => {
  const pair = await startPair();
  const project = await createTestProject(
    pair.client(),
    loop('').replace('  - { on: dataset:flights, run: pipeline:train }\n', ''),
  );
  await project.write('model.onnx', await modelBytes());
  await project.write('data/1.csv', flightRows);
  const tidemill = (...line: readonly string[]) => runTidemill([...line, '--url', pair.url()], { cwd: project.folder });
  expect(await tidemill('apply', '--wait')).toMatchObject({ status: 0 });

  const first = await tidemill('run', 'train', '--wait');
  expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(/succeeded; model late@1/) });
  expect(first.stderr.match(/fit +succeeded|step fit succeeded/g)).toHaveLength(1);
  expect(first.stderr).toContain('  rollout of version 1 is complete\n');
  const served = await fetch(`${pair.servingUrl()}/projects/flights/v2/models/late`);
  expect(served.status).toBe(200);

  const second = await tidemill('run', 'train', '--wait', '--json', '--param', 'mark="00000001"');
  expect(second).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(second.stdout)).toMatchObject({
    state: 'succeeded',
    result: { model: 'late', version: 2 },
    rollouts: [{ version: 2, state: 'stepping' }],
    waiting: [{ reason: 'rollout of version 2 of late waits for traffic: 0 of 50 answers' }],
    failures: [],
  });
}, 120_000);

test('apply --wait ends with 1 when a run that follows fails, and waits for nothing that others began', async () => {
  const { client: root, url } = await startControlPlane();
  const project = await createTestProject(
    root,
    `project: flights
pipelines:
  other: { steps: { wait: { run: 'until [ -e "$GO" ]; do sleep 0.02; done', env: { GO: never } } } }
`,
  );
  await project.apply();
  const client = await project.client();
  const other = await client.call(startRun, { params: { name: 'other' }, body: {} });

  await project.write(
    'tidemill.yaml',
    `project: flights
datasets:
  rows: { source: data/*.csv }
pipelines:
  broken: { steps: { one: { run: 'true' }, two: { run: 'exit 3', needs: [one] } } }
triggers:
  - { on: dataset:rows, run: pipeline:broken }
`,
  );
  await project.write('data/1.csv', 'a\n1\n');
  const ended = await runTidemill(['apply', '--wait', '--url', url], { cwd: project.folder });
  expect(ended.status).toBe(1);
  expect(ended.stderr).toContain('  step one succeeded\n');
  expect(ended.stderr).toMatch(/run of broken failed: .*exit.* 3.* \(tidemill logs [0-9a-f-]+\)\n$/);

  expect(await client.call(getRun, { params: { runId: other.id }, query: {} })).toMatchObject({ state: 'running' });
  await client.call(cancelRun, { params: { runId: other.id } });
}, 60_000);

test('apply --wait says which approval is waited for, and ends', async () => {
  const { client: root, url } = await startControlPlane();
  const project = await openLoop(root, ', approvals: [risk]');
  const ended = await runTidemill(['apply', '--wait', '--json', '--url', url], { cwd: project.folder });
  expect(ended.status).toBe(0);
  const { runs, rollouts, waiting } = JSON.parse(ended.stdout) as Applied;
  expect({ runs, rollouts }).toMatchObject({ runs: [{ state: 'succeeded' }], rollouts: [] });
  expect(waiting).toEqual([
    { subject: expect.stringMatching(/^promotion:/), reason: expect.stringContaining('an approval (policy risk)') },
  ]);
}, 60_000);

test('apply --wait names the step in which a run waits for a person, and ends', async () => {
  const { client: root, url } = await startControlPlane();
  const project = await createTestProject(
    root,
    `project: flights
datasets:
  rows: { source: data/*.csv }
pipelines:
  asks: { steps: { ask: { use: approve, with: { policy: risk } } } }
triggers:
  - { on: dataset:rows, run: pipeline:asks }
`,
  );
  await project.write('data/1.csv', 'a\n1\n');
  const ended = await runTidemill(['apply', '--wait', '--json', '--url', url], { cwd: project.folder });
  expect(ended.status).toBe(0);
  const { runs, waiting, failures } = JSON.parse(ended.stdout) as Applied;
  expect({ runs, failures }).toMatchObject({ runs: [{ pipeline: 'asks', state: 'running' }], failures: [] });
  expect(waiting.map(({ reason }) => reason)).toContainEqual(expect.stringMatching(/of asks waits in step ask/));
}, 60_000);

test('apply --wait ends with 1 when a rollout that follows is aborted; without a data plane it would wait for one', async () => {
  const { client: root, url } = await startControlPlane();
  const project = await openLoop(root);
  const client = await project.client();
  const applying = startTidemill(['apply', '--wait', '--url', url], { cwd: project.folder });
  const ended = collect(applying);
  let rolloutId = '';
  const find = async () =>
    (rolloutId = (await client.call(listRollouts, { query: { state: 'warming' } })).items[0]?.id ?? '');
  await expect.poll(find, { timeout: 30_000 }).not.toBe('');
  await client.call(abortRollout, { params: { rolloutId }, body: { reason: 'not on a Friday' } });
  const { status, stderr } = await ended;
  expect({ status, last: stderr.trim().split('\n').at(-1) }).toEqual({
    status: 1,
    last: 'rollout of version 1 of late was aborted: not on a Friday',
  });
}, 60_000);

test('Ctrl-C ends the waiting of apply --wait, and nothing else', async () => {
  const { client: root, url } = await startControlPlane();
  const go = join(await temporaryFolder(), 'go');
  const project = await createTestProject(
    root,
    `project: flights
datasets:
  rows: { source: data/*.csv }
pipelines:
  slow: { steps: { wait: { run: 'until [ -e "$GO" ]; do sleep 0.02; done', env: { GO: '${go}' } } } }
triggers:
  - { on: dataset:rows, run: pipeline:slow }
`,
  );
  await project.write('data/1.csv', 'a\n1\n');
  const client = await project.client();
  const applying = startTidemill(['apply', '--wait', '--url', url], { cwd: project.folder });
  const ended = collect(applying);
  let heard = '';
  applying.stderr?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  await expect.poll(() => heard, { timeout: 30_000 }).toContain('run of slow begins: ');
  applying.kill('SIGINT');
  expect(await ended).toMatchObject({
    status: 130,
    stdout: '',
    stderr: expect.stringContaining('what was applied stands, and what follows goes on'),
  });
  await writeFile(go, '');
  const finished = async () =>
    (await client.call(listEvents, { query: { type: ['pipeline.run.finished'] } })).items.map(({ data }) => data);
  await expect.poll(finished, { timeout: 30_000 }).toMatchObject([{ pipeline: 'slow', state: 'succeeded' }]);
}, 60_000);
