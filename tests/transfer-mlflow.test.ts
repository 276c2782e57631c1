import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureProject } from '../src/cli/workspace/send.ts';
import { exportExperiments, exportRuns } from '../src/contracts/transfer.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { collect, runTidemill, startTidemill } from './support/command-line.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { clientRequirements, ensurePython } from './support/mlflow-script.ts';
import { dumpStores, type ImportResult, importInto, makeStore } from './support/mlflow-stores.ts';

const setUpMs = 600_000;
const testMs = 420_000;
/** The real client, by version. */
const pythons = new Map<string, string>();

beforeAll(async () => {
  for (const version of ['3.17', '2.22', '2.9'])
    pythons.set(version, (await ensurePython(clientRequirements(version))).pythonPath);
}, setUpMs);

const pythonOf = (version: string): string => pythons.get(version) ?? '';

describe('what the real client has tracked', () => {
  test.each([
    { version: '3.17', store: 'sqlite:///', name: 'mlflow.db', onto: 'postgres', models: 2, traces: 2 },
    { version: '3.17', store: 'file://', name: 'mlruns', onto: 'sqlite', models: 2, traces: 2 },
    { version: '2.22', store: 'file://', name: 'mlruns', onto: 'sqlite', models: 0, traces: 2 },
    // its database is one that newer clients do not open
    { version: '2.9', reader: '2.9', store: 'sqlite:///', name: 'mlflow.db', onto: 'sqlite', models: 0, traces: 0 },
  ])(
    'comes over from $store… of $version onto $onto as it is, once, goes on to another Tidemill, and out again as it is',
    async ({ version, reader = '3.17', store, name, onto, models, traces }) => {
      const folder = await temporaryFolder();
      const uri = `${store}${folder}/${name}`;
      await makeStore(pythonOf(version), uri, { folder });
      const { client, url } = await startControlPlane(
        onto === 'postgres' ? { databaseUrl: await newPostgresUrl() } : {},
      );
      await ensureProject(client, 'moved');

      const first = await importInto(url, 'moved', ['mlflow', uri]);
      expect(first).toMatchObject({ unchanged: 0, differences: [], left: [] });
      expect(first.experiments.every(({ verified }) => verified)).toBe(true);
      const second = await importInto(url, 'moved', ['mlflow', uri]);
      expect(second).toMatchObject({ unchanged: 9 + models, sentBytes: 0, differences: [], left: [] });

      const onward = await startControlPlane();
      await ensureProject(onward.client, 'onward');
      const third = await importInto(onward.url, 'onward', ['tidemill', `${url}/projects/moved`]);
      expect(third).toMatchObject({ unchanged: 0, differences: [], left: [], kept: [] });

      const out = join(folder, 'out');
      const flags = ['--url', url, '--project', 'moved', '--json'];
      const exported = await runTidemill(['export', 'mlflow', '--to', out, ...flags]);
      expect(JSON.parse(exported.stdout)).toMatchObject({ left: [] });

      const [there, here, further, outThere] = await dumpStores(pythonOf(reader), [
        uri,
        `${url}/projects/moved`,
        `${onward.url}/projects/onward`,
        `file://${out}`,
      ]);
      expect(Object.keys(there.runs)).toHaveLength(9);
      expect(Object.keys(there.traces)).toHaveLength(traces);
      // as after an evaluation: two runs have read a logged model
      const read = Object.values(there.runs).flatMap(({ inputs }: { readonly inputs: readonly string[] }) => inputs);
      expect(read).toHaveLength(models);
      expect(here).toEqual(there);
      expect(further).toEqual(there);
      expect(outThere).toEqual(there);
    },
    testMs,
  );
});

const points = 200_000;

/** Tables of an MLflow from before logged models, with one long run and one run that never ended. */
function makeOldStore(file: string): void {
  const database = new Sqlite(file);
  database.exec(`
    create table experiments (experiment_id integer primary key, name text, artifact_location text, lifecycle_stage text);
    create table runs (run_uuid text primary key, name text, user_id text, status text, start_time bigint, end_time bigint,
      lifecycle_stage text, artifact_uri text, experiment_id integer);
    create table metrics (key text, value double, timestamp bigint, run_uuid text, step bigint, is_nan boolean);
    create table params (key text, value text, run_uuid text);
    create table tags (key text, value text, run_uuid text);
    insert into experiments values (0, 'Default', 's3://bucket/0', 'active'), (7, 'old', 's3://bucket/7', 'active');
    insert into runs values ('${'a'.repeat(32)}', '', 'ann', 'FINISHED', 1600000000000, 1600000001000, 'active', 's3://bucket/7/a', 7);
    insert into tags values ('mlflow.runName', 'from a tag', '${'a'.repeat(32)}');
    insert into params values ('text', 'with a ' || char(0) || ' in it', '${'a'.repeat(32)}');
    with recursive n (at) as (select 0 union all select at + 1 from n where at < ${points - 1})
      insert into metrics select 'loss', at / 3.0, 1600000000000 + at, '${'a'.repeat(32)}', at, 0 from n;
  `);
  database.close();
}

test(
  'an import that is killed goes on where it was, and everything is there once',
  async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'mlflow.db');
    makeOldStore(file);
    const { client, url, platform } = await startControlPlane();
    await ensureProject(client, 'killed');
    const args = ['import', 'mlflow', file, '--url', url, '--project', 'killed', '--json'];

    const child = startTidemill(args);
    const ended = collect(child);
    // killed when some of the points are there and not all: the bulk API writes 20,000 in a unit
    await expect
      .poll(
        () =>
          platform.database.read
            .query<{ tracking_metrics: { run_id: string } }>()
            .selectFrom('tracking_metrics')
            .select('run_id')
            .limit(1)
            .execute(),
        { timeout: 60_000, interval: 5 },
      )
      .toHaveLength(1);
    child.kill('SIGKILL');
    await ended;

    const { stdout, status } = await runTidemill(args);
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as ImportResult;
    expect(result.differences).toEqual([]);
    expect(result.experiments).toMatchObject([{ runs: 0 }, { id: '7', givenId: '7', runs: 1, points, verified: true }]);
    expect(result.kept).toMatchObject([{ scheme: 's3:', count: 1 }]);
    expect(result.notes).toEqual([expect.stringContaining('NUL')]);

    const project = client.inProject('killed');
    const { items } = await project.call(exportRuns, { query: { experimentId: '7' } });
    expect(items).toMatchObject([
      {
        points,
        artifactUri: 's3://bucket/7/a',
        run: { name: 'from a tag', user: 'ann', params: [{ value: 'with a \uFFFD in it' }] },
      },
    ]);

    // a point that is new at the source is the only thing that changes
    const grown = join(folder, 'grown.db');
    await cp(file, grown);
    const database = new Sqlite(grown);
    database.exec(`insert into metrics values ('loss', 9, 1700000000000, '${'a'.repeat(32)}', 999999, 0)`);
    database.close();
    expect(await importInto(url, 'killed', ['mlflow', grown])).toMatchObject({ unchanged: 0, differences: [] });
    const [again] = (await project.call(exportRuns, { query: { experimentId: '7' } })).items;
    expect(again?.points).toBe(points + 1);

    // an id names one thing on a server
    await ensureProject(client, 'other');
    const refused = await runTidemill(['import', 'mlflow', file, '--url', url, '--project', 'other', '--json']);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain('IMPORT_ELSEWHERE');
    const { items: made } = await client.inProject('other').call(exportExperiments, { query: {} });
    expect(made.filter(({ name }) => name !== 'Default')).toEqual([]);
  },
  testMs,
);
