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
  database = (await newPostgresUrl()).replace(/^postgres:/, 'postgresql+psycopg2:');
  server = await startMlflowServer(pythonPath, database, folder);
}, 600_000);

afterAll(async () => {
  await (server as MlflowServer | undefined)?.stop(); // it may not have started
  await rm(folder, { recursive: true, force: true });
});

interface Exported {
  readonly left: readonly string[];
  readonly progress: { readonly runs: number; readonly passedBy: number; readonly sentBytes: number };
}

/** What the server writes itself, or says of what was exported. */
const ofTheServer = /^(?:tidemill\.(?:sourceId|exported)|mlflow\.modelVersions)$/;
type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const withFields = (fields: Fields, change: (value: unknown) => unknown): Fields =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, change(value)]));
const withItem = (value: unknown, at: number, item: unknown) => (value as readonly unknown[]).with(at, item);

/** A dump without what a server decides: its tags, and the times of its own clock (in the lists of the dump's script). */
function withoutServersOwn(dump: StoreDump): Readonly<Record<string, unknown>> {
  const { runs, logged, models, ...others } = JSON.parse(JSON.stringify(dump), (_key, value: unknown) =>
    isFields(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => !ofTheServer.test(key))) : value,
  ) as Readonly<Record<keyof StoreDump, Fields>>;
  const withSortedOutputs = (run: unknown) => ({
    ...(run as Fields),
    outputs: ((run as Fields)['outputs'] as readonly string[]).toSorted(),
  });
  const withoutTimes = (model: unknown) =>
    withItem(
      model,
      3,
      withFields((model as readonly Fields[])[3] ?? {}, (version) => withItem(version, 4, 'its own')),
    );
  return {
    ...others,
    runs: withFields(runs, withSortedOutputs),
    logged: withFields(logged, (model) => withItem(model, 6, 'its own')),
    models: withFields(models, withoutTimes),
  };
}

/** A dump of a server with the ids that its runs and logged models had where they were exported from. */
function withFormerIds(dump: StoreDump): StoreDump {
  let json = JSON.stringify(dump);
  const tagsOf = new Map<string, unknown>([
    ...Object.entries(dump.runs as Readonly<Record<string, Fields>>).map(([id, run]) => [id, run['tags']] as const),
    ...Object.entries(dump.logged as Readonly<Record<string, readonly unknown[]>>).map(
      ([id, model]) => [id, model[3]] as const,
    ),
  ]);
  for (const [id, tags] of tagsOf) {
    const former = (tags as Fields)['tidemill.sourceId'];
    if (typeof former === 'string') json = json.replaceAll(id, former);
  }
  return JSON.parse(json) as StoreDump;
}

// first: it wants the server empty
test('a project goes to a server of MLflow as it is, once, though the export is killed', async () => {
  const { client, url } = await startControlPlane();
  await ensureProject(client, 'leaving');
  const project = `${url}/projects/leaving`;
  await makeStore(pythonPath, project, { folder: await temporaryFolder() });
  const args = ['export', 'mlflow', '--to', server.url, '--url', url, '--project', 'leaving', '--json'];

  const child = startTidemill(args);
  const ended = collect(child);
  await expect.poll(() => readdir(server.artifacts).catch(() => []), { timeout: 180_000, interval: 5 }).not.toEqual([]);
  child.kill('SIGKILL');
  await ended;
  const second = await runTidemill(args);
  expect(second).toMatchObject({ stderr: '', status: 0 });
  expect(JSON.parse(second.stdout)).toMatchObject({ left: [] });
  const third = JSON.parse((await runTidemill(args)).stdout) as Exported;
  expect(third).toMatchObject({ left: [], progress: { runs: 9, passedBy: 9, sentBytes: 0 } });

  const [here, there] = await dumpStores(pythonPath, [project, server.url]);
  expect(Object.keys(there.runs)).toHaveLength(9);
  expect(withoutServersOwn(withFormerIds(there))).toEqual(withoutServersOwn(here));
}, 420_000);

test('a server of MLflow comes over by its REST API, and by its PostgreSQL', async () => {
  const names = ' 2';
  await makeStore(pythonPath, server.url, { folder: await temporaryFolder(), suffix: names });
  const byRest = await startControlPlane();
  const byDatabase = await startControlPlane({ databaseUrl: await newPostgresUrl() });
  const sources = [
    { ...byRest, source: [server.url] },
    { ...byDatabase, source: [database, '--artifacts', server.artifacts] },
  ];
  for (const { client, url, source } of sources) {
    await ensureProject(client, 'moved');
    const first = await importInto(url, 'moved', ['mlflow', ...source]);
    expect(first).toMatchObject({ unchanged: 0, differences: [], left: [], kept: [] });
    expect(first.experiments.every(({ verified }) => verified)).toBe(true);
    const second = await importInto(url, 'moved', ['mlflow', ...source]);
    expect(second).toMatchObject({ sentBytes: 0, differences: [], left: [] });
    expect(second.unchanged).toBeGreaterThanOrEqual(11);
  }
  const projects = sources.map(({ url }) => `${url}/projects/moved`);
  const [there, ...here] = await dumpStores(pythonPath, [server.url, ...projects]);
  expect(Object.keys(there.runs).length).toBeGreaterThanOrEqual(9);
  expect(Object.keys(there.traces).length).toBeGreaterThanOrEqual(2);
  for (const dump of here) expect(dump).toEqual(there);
}, 420_000);
