import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { collect, runTidemill, startTidemill } from './support/command-line.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { clientRequirements, ensurePython } from './support/mlflow-script.ts';
import { type MlflowServer, startMlflowServer } from './support/mlflow-server.ts';
import { dumpStores, importInto, makeStore, type StoreDump } from './support/mlflow-stores.ts';

/** One server for all: a start takes longer than everything else. */
let pythonPath: string;
let folder: string;
let database: string;
let server: MlflowServer;

beforeAll(async () => {
  ({ pythonPath } = await ensurePython(clientRequirements('3.17')));
  folder = await mkdtemp(join(tmpdir(), 'tidemill-test-'));
  database = (await newPostgresUrl()).replace(/^postgres:/, 'postgresql:');
  server = await startMlflowServer(pythonPath, database, folder);
}, 600_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Exported {
  readonly left: readonly string[];
  readonly progress: { readonly runs: number; readonly passedBy: number; readonly sentBytes: number };
}

type Run = Readonly<{ experiment: string; tags: Record<string, string> }>;

/** A dump of a server in the words of what it was exported from: former ids, and without the times of the server's own clock. */
function inFormerWords(dump: StoreDump, experiments: ReadonlySet<string>): StoreDump {
  let json = JSON.stringify(dump);
  const owners = { ...dump.runs, ...dump.logged } as Record<string, Run | readonly unknown[]>;
  for (const [id, owner] of Object.entries(owners)) {
    const tags = (Array.isArray(owner) ? owner[3] : (owner as Run).tags) as Record<string, string>;
    json = json.replaceAll(id, tags['tidemill.sourceId'] ?? id);
  }
  const former = JSON.parse(json, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).filter(([key]) => !/^tidemill\.(?:sourceId|exported)$/.test(key)))
      : value,
  ) as Record<keyof StoreDump, Record<string, unknown>>;
  const runs = Object.entries(former.runs).filter(([, run]) => experiments.has((run as Run).experiment));
  return { ...former, runs: Object.fromEntries(runs) };
}

test('a project goes to a server of MLflow as it is, once, though the export is killed', async () => {
  const { client, url } = await startControlPlane();
  await ensureProject(client, 'leaving');
  const project = `${url}/projects/leaving`;
  await makeStore(pythonPath, project, { folder: await temporaryFolder() });
  const args = ['export', 'mlflow', '--to', server.url, '--url', url, '--project', 'leaving', '--json'];

  const child = startTidemill(args);
  const ended = collect(child);
  await expect.poll(() => readdir(server.artifacts).catch(() => []), { timeout: 60_000, interval: 5 }).not.toEqual([]);
  child.kill('SIGKILL');
  await ended;
  const second = await runTidemill(args);
  expect(second).toMatchObject({ stderr: '', status: 0 });
  expect(JSON.parse(second.stdout)).toMatchObject({ left: [] });
  const third = JSON.parse((await runTidemill(args)).stdout) as Exported;
  expect(third).toMatchObject({ left: [], progress: { runs: 9, passedBy: 9, sentBytes: 0 } });

  const [here, there] = await dumpStores(pythonPath, [project, server.url]);
  console.log(JSON.stringify(here).length, JSON.stringify(there).length);
  expect(inFormerWords(there!, new Set(Object.keys(here!.experiments)))).toEqual(here);
}, 420_000);
