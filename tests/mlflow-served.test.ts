import { symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { getDeployment } from '../src/contracts/deployments.ts';
import { getModelVersion } from '../src/contracts/registry.ts';
import type { Client } from '../src/sdk/index.ts';
import { ensurePython, exampleRequirements, pythonSetUpMs, runMlflowScript } from './support/mlflow-script.ts';
import { createTestProject } from './support/project.ts';
import { startPair } from './support/running-server.ts';

const environments = resolve('node_modules/.cache/tidemill-python');
const names = ['matrix', 'columns', 'written'] as const;
type Name = (typeof names)[number];

const inputs = {
  matrix: [{ name: 'input-0', datatype: 'FP64', shape: [2, 2], data: [0, 1, 10, 11] }],
  columns: [
    { name: 'carrier', datatype: 'BYTES', shape: [2, 1], data: ['UA', 'AA'] },
    { name: 'distance', datatype: 'FP64', shape: [2, 1], data: [0, 5] },
    { name: 'flight', datatype: 'INT64', shape: [2, 1], data: [0, 5] },
  ],
  written: [{ name: 'distance', datatype: 'FP64', shape: [2, 1], data: [0, 5] }],
};

let python: string;
beforeAll(async () => {
  ({ pythonPath: python } = await ensurePython(exampleRequirements));
}, pythonSetUpMs);

async function waitUntilServed(client: Client, name: string): Promise<void> {
  for (const until = Date.now() + 240_000; Date.now() < until; await delay(50)) {
    const { status } = await client.call(getDeployment, { params: { name }, query: { wait: 10 } });
    if (status.state === 'ready' && status.settled && status.traffic.length > 0) return;
    if (status.state === 'failed') throw new Error(JSON.stringify(status));
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

  const declared = names.map((name) => `  ${name}: { model: "model:${name}@champion", workers: { count: 2 } }`);
  const project = await createTestProject(pair.client(), `project: flights\ndeployments:\n${declared.join('\n')}\n`);
  await project.apply();
  for (const name of names) {
    await waitUntilServed(client, name);
    const answer = await fetch(`${pair.servingUrl()}/projects/flights/v2/models/${name}/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: inputs[name] }),
    });
    const { outputs } = (await answer.json()) as { readonly outputs: readonly { readonly data: unknown[] }[] };
    expect(outputs[0]?.data).toEqual(expected[name]);
  }
  await pair.stop();
});
