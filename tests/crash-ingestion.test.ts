import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { followIngestion } from '../src/cli/workspace/send.ts';
import { listDatasetVersions, listIngestions } from '../src/contracts/datasets.ts';
import { listEvents } from '../src/contracts/event-operations.ts';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { createClient } from '../src/sdk/index.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';

const bin = join(import.meta.dirname, '..', 'bin', 'tidemill');

/** The real program; ended with the test, its data plane too. */
async function up(home: string): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const child = spawn(bin, ['up', '--json', '--port', '0', '--serving-port', '0', '--home', home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { process: child, url: (JSON.parse(line.toString()) as { url: string }).url };
}

test('a server that is killed during an ingestion makes exactly one version of it after it starts again', async () => {
  await builtModule('cli/main.js');
  const home = join(await temporaryFolder(), 'home');
  const first = await up(home);
  const project = await createTestProject(
    createClient({ url: first.url }),
    'project: shop\ndatasets:\n  a: { source: data/*.csv }\n',
  );
  const lines = Array.from({ length: 400_000 }, (_, row) => `${row},name-${row % 97}`);
  await project.write('data/1.csv', `id,name\n${lines.join('\n')}\n`);
  await project.apply();
  const started = await project.startLanding('a');
  expect(started).toMatchObject({ state: 'running' });
  first.process.kill('SIGKILL');
  await once(first.process, 'exit');

  const second = await up(home);
  const client = createClient({ url: second.url, project: 'shop' });
  const ended = await followIngestion(client, started?.id ?? '', new AbortController().signal);
  expect(ended).toMatchObject({ state: 'published', version: 1 });
  const versions = await client.call(listDatasetVersions, { params: { name: 'a' }, query: {} });
  expect(versions.items).toMatchObject([{ version: 1, rows: 400_000, parts: 1 }]);
  const ingestions = await client.call(listIngestions, { params: { name: 'a' }, query: {} });
  expect(ingestions.items).toHaveLength(1);
  const created = await client.call(listEvents, { query: { type: ['dataset.version.created'] } });
  expect(created.items).toHaveLength(1);
}, 120_000);
