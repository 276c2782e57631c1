import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { flushDeployment, getDeployment } from '../src/contracts/deployments.ts';
import { getModelVersion } from '../src/contracts/registry.ts';
import { servingHeaders } from '../src/contracts/serving.ts';
import type { Client } from '../src/sdk/index.ts';
import { ensurePython, exampleRequirements, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';
import { createTestProject } from './support/project.ts';
import { startPair } from './support/running-server.ts';
import { loggedPredictions, streamPredictions } from './support/served-model.ts';

const environments = resolve('node_modules/.cache/tidemill-python');
const names = ['matrix', 'columns', 'written'] as const;
/** One of them has several, for each takes seconds to start. */
const workers = { matrix: 1, columns: 1, written: 2 };
type Name = (typeof names)[number];

const inputs = {
  matrix: [{ name: 'input-0', datatype: 'FP64', shape: [2, 2], data: [0, 1, 10, 11] }],
  columns: [
    { name: 'carrier', datatype: 'BYTES', shape: [2, 1], data: ['UA', 'AA'] },
    { name: 'distance', datatype: 'FP64', shape: [2, 1], data: [0, 5] },
    { name: 'flight', datatype: 'INT64', shape: [2, 1], data: [0, 5] },
  ],
  written: [
    { name: 'distance', datatype: 'FP64', shape: [2, 1], data: [0, 5] },
    { name: 'bonus', datatype: 'FP64', shape: [2, 1], data: [null, null] },
    { name: 'since', datatype: 'BYTES', shape: [2, 1], data: ['', ''] },
    { name: 'more', datatype: 'BYTES', shape: [2, 1], data: ['', ''] },
  ],
};

let python: string;
beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython(exampleRequirements));
}, pythonSetUpMs);

async function waitUntilServed(client: Client, name: string): Promise<void> {
  for (const until = Date.now() + 240_000; Date.now() < until; await delay(50)) {
    const { status } = await client.call(getDeployment, { params: { name }, query: { wait: 10 } });
    if (status.state === 'ready' && status.settled && status.traffic.length > 0) return;
  }
  throw new Error(`"${name}" is not served after four minutes`);
}

test('models that MLflow’s client has logged and registered are deployed by their alias and predict as they do there', {
  timeout: 600_000,
}, async () => {
  const pair = await startPair(['--auth', 'off']);
  await symlink(environments, join(pair.home, 'python'));
  const client = await ensureProject(pair.client(), 'flights');
  const expected = await runMlflowScript<Record<Name, readonly unknown[]>>(python, 'mlflow_served_models.py', {
    trackingUri: `${pair.url()}/projects/flights`,
    timeoutMs: 300_000,
    arguments: [resolve(exampleRequirements)],
  });
  const version = await client.call(getModelVersion, { params: { model: 'matrix', at: 'champion' } });
  expect(version).toMatchObject({ version: 1, runtime: 'python' });

  const declared = names.map(
    (name) => `  ${name}: { model: "model:${name}@champion", workers: { count: ${workers[name]} } }`,
  );
  const project = await createTestProject(pair.client(), `project: flights\ndeployments:\n${declared.join('\n')}\n`);
  await project.apply();
  for (const name of names) {
    await waitUntilServed(client, name);
    expect(await ask(pair.servingUrl(), name)).toEqual(expected[name]);
  }

  // a table may lack what its signature does not require, and points in time may be written one way and another
  const invoked = async (records: readonly object[], params?: object) => {
    const answer = await fetch(`${pair.servingUrl()}/projects/flights/endpoints/written/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ dataframe_records: records, params }),
    });
    return { status: answer.status, ...((await answer.json()) as object) };
  };
  expect(await invoked([{ distance: 1 }, { distance: 2 }])).toEqual({ status: 200, predictions: [2, 4] });
  expect(await invoked([{ distance: 1, bonus: 10 }, { distance: 2 }])).toMatchObject({ predictions: [12, 4] });
  for (const times of [
    ['2026-01-31', '2026-01-31T12:00:00.5Z'],
    [null, '2026-01-31 12:00:00+02:00'],
  ])
    expect(await invoked(times.map((since) => ({ distance: 1, since })))).toMatchObject({ predictions: [2, 2] });

  // what only the model's own process can tell of a request is the caller's fault, and nobody else's
  const [bad, ...fine] = await Promise.all([
    invoked([{ distance: 1 }, { distance: 1, since: 'soon' }]),
    ...Array.from({ length: 8 }, () => invoked([{ distance: 1, since: '2026-01-31' }, { distance: 2 }])),
  ]);
  expect(bad).toMatchObject({ status: 400, message: expect.stringMatching(/"since" takes points in time.*row 2/) });
  expect(fine.filter(({ status }) => status !== 200)).toEqual([]);
  const [distance, bonus, since, nothing] = inputs.written;
  for (const [more, status] of [
    ['{"hour":', 400],
    ['['.repeat(100_000), 400],
    ['{"minute": 1}', 400],
    ['{"hour": 1}', 200],
  ] as const) {
    const body = { inputs: [distance, { ...bonus, data: [1, 2] }, since, { ...nothing, data: [more, ''] }] };
    const answer = await fetch(`${pair.servingUrl()}/projects/flights/v2/models/written/infer`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    expect([more.slice(0, 20), answer.status, await answer.text()]).toEqual([
      more.slice(0, 20),
      status,
      expect.anything(),
    ]);
  }
  expect(await invoked([{ distance: 1 }], { factor: 'much' })).toMatchObject({ status: 400 });

  // kill -9 of processes of a model under load: what they had is refused, all else is answered, and the log has that once
  const stream = streamPredictions({ ask: async () => (await askOnce(pair.servingUrl(), 'written')).id }, 8);
  await stream.more(100);
  for (const pid of await childrenOf(await pair.dataPlanePid())) {
    process.kill(pid, 'SIGKILL');
    await stream.more(20);
  }
  await stream.stop();
  expect(stream.failures.map(String).filter((text) => !text.includes('answered 503'))).toEqual([]);
  const { done } = await client.call(flushDeployment, { params: { name: 'written' }, body: { timeout: 60 } });
  expect(done).toBe(true);
  const logged = await loggedPredictions(client, 'written');
  expect(stream.answered.filter((prediction) => !logged.has(prediction))).toEqual([]);
  expect([...logged.values()].filter((rows) => rows !== 2)).toEqual([]); // each request has two
  for (const name of names) expect(await ask(pair.servingUrl(), name)).toEqual(expected[name]);

  // nothing is left of a data plane that is killed, and the next one serves what it served
  const processes = await childrenOf(await pair.dataPlanePid());
  expect(processes).toHaveLength(4);
  await pair.killDataPlane();
  await expect.poll(() => processes.filter(isRunning), { timeout: 10_000 }).toEqual([]);
  await expect
    .poll(() => ask(pair.servingUrl(), 'written').catch(() => undefined), { timeout: 120_000, interval: 200 })
    .toEqual(expected.written);
});

const ask = async (servingUrl: string, name: Name): Promise<unknown> => (await askOnce(servingUrl, name)).data;

async function askOnce(servingUrl: string, name: Name) {
  const answer = await fetch(`${servingUrl}/projects/flights/v2/models/${name}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: inputs[name] }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`answered ${answer.status}: ${text}`);
  const { outputs } = JSON.parse(text) as { readonly outputs?: readonly { readonly data: unknown[] }[] };
  return { id: answer.headers.get(servingHeaders.predictionId) ?? '', data: outputs?.[0]?.data };
}

async function childrenOf(pid: number | undefined): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=']);
  const all = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return all.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
