import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Unit } from '#platform/database';
import { createLogger } from '#platform/log';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { createTrackingModule, type TrackingApi } from './index.ts';

const actor = { actor: 'user:test' };
const point = (step: number, timestampMs: number, value: number) => ({ key: 'auc', step, timestampMs, value });
/** One point of each of a hundred keys; time goes against the steps. */
const wide = (step: number, valueOf: (key: number) => number) =>
  Array.from({ length: 100 }, (_, n) => ({ key: `m${n}`, value: valueOf(n), step, timestampMs: 1000 - step }));
const digest = (n: number) => String(n).padStart(64, '0');

describeDatabases('tracking', (open) => {
  let database: TestDatabase;
  let project: string;
  let projects = 0;
  let api: TrackingApi;
  let retained: string[];
  let edges: string[];
  const write = <T>(work: (unit: Unit) => Promise<T>) => database.write(actor, work);

  beforeAll(async () => {
    database = await open();
    api = createTrackingModule({
      database,
      ids: database.ids,
      clock: database.clock,
      logger: createLogger({ level: 'silent' }),
      projects: { list: async () => [] },
      artifacts: {
        async retain(_unit, { owner, sha256 }) {
          retained.push(`+${owner} ${sha256}`);
        },
        missing: async () => [],
        async release(_unit, { owner, sha256 }) {
          retained.push(`-${owner} ${sha256}`);
        },
        async releaseAll(_unit, { owner }, digests) {
          retained.push(...digests.map((sha256) => `-${owner} ${sha256}`));
        },
      },
      lineage: {
        async record(_unit, _project, recorded) {
          edges.push(...recorded.map(({ from, to, kind }) => `${from} ${kind} ${to}`));
        },
      },
    }).api;
  });
  beforeEach(() => {
    projects += 1;
    project = `p${projects}`; // an empty one for each test
    retained = [];
    edges = [];
  });
  afterAll(() => database.close());

  const newRun = async (tags: { key: string; value: string }[] = []) =>
    (await write((unit) => api.createRun(unit, { project, tags }))).info.runId;
  const logPoints = (runId: string, metrics: ReturnType<typeof wide>) =>
    write((unit) => api.log(unit, { project, runId, metrics }));
  const logKeys = (runId: string, metrics: readonly string[], params: readonly string[] = []) =>
    write((unit) =>
      api.log(unit, {
        project,
        runId,
        metrics: metrics.map((key) => ({ key, value: 1, step: 0, timestampMs: 1 })),
        params: params.map((key) => ({ key, value: 'x' })),
      }),
    );
  const historyOf = (runId: string, key: string, page: { limit?: number; offset?: number } = {}) =>
    api.metricHistory(database.read, { project, runId, key, ...page });
  const waiting = async (runId: string) =>
    (
      await sql<{ points: number | null }>`select sum(point_count) as points from tracking_metric_batches
        where run_id = ${runId}`.execute(database.read.query())
    ).rows[0]?.points ?? 0;
  const latest = async (runId: string, key: string) =>
    (await api.run(database.read, project, runId))?.metrics.find((metric) => metric.key === key);

  test("the common keys of runs are those that most have, by name, the machine's only for want of others", async () => {
    const runs = [await newRun(), await newRun(), await newRun()];
    for (const run of runs.slice(0, 2)) await logKeys(run, ['loss', 'auc', 'system/cpu'], ['lr', 'Depth']);
    await logKeys(runs[2] ?? '', ['odd', 'system/cpu'], ['only']);
    const most = (metrics: number, params: number) => api.commonKeys(database.read, runs, { metrics, params });
    expect(await most(2, 2)).toEqual({ metrics: ['auc', 'loss'], params: ['Depth', 'lr'] });
    expect(await most(4, 3)).toEqual({
      metrics: ['auc', 'loss', 'odd', 'system/cpu'],
      params: ['Depth', 'lr', 'only'],
    });
    expect(await api.commonKeys(database.read, [], { metrics: 2, params: 2 })).toEqual({ metrics: [], params: [] });
  });

  test('experiment 0 is there before anybody wrote to it, and ids are counted per project', async () => {
    expect(await api.experiment(database.read, project, '0')).toMatchObject({ name: 'Default', lifecycle: 'active' });
    expect(await api.experimentByName(database.read, 'elsewhere', 'Default')).toMatchObject({ experimentId: '0' });
    expect((await api.searchExperiments(database.read, { project, limit: 10 })).items).toHaveLength(1);
    const created = await write((unit) => api.createExperiment(unit, { project, name: 'first' }));
    const elsewhere = await write((unit) => api.createExperiment(unit, { project: 'elsewhere', name: 'first' }));
    expect([created, elsewhere]).toEqual(['1', '1']);
    expect(await api.experiment(database.read, project, '1')).toMatchObject({
      artifactLocation: 'mlflow-artifacts:/1',
    });
  });

  test('a name stays taken by a deleted experiment, whose runs are deleted with it', async () => {
    const experimentId = await write((unit) => api.createExperiment(unit, { project, name: 'gone' }));
    const run = await write((unit) => api.createRun(unit, { project, experimentId }));
    await write((unit) => api.deleteExperiment(unit, { project, experimentId }));
    await expect(write((unit) => api.createExperiment(unit, { project, name: 'gone' }))).rejects.toMatchObject({
      code: 'EXPERIMENT_EXISTS',
    });
    expect(await api.runInfo(database.read, project, run.info.runId)).toMatchObject({ lifecycle: 'deleted' });
    await expect(write((unit) => api.createRun(unit, { project, experimentId }))).rejects.toMatchObject({
      code: 'EXPERIMENT_INACTIVE',
    });
    await write((unit) => api.restoreExperiment(unit, { project, experimentId }));
    expect(await api.runInfo(database.read, project, run.info.runId)).toMatchObject({ lifecycle: 'active' });
  });

  test('the latest point is the greatest by step, time and value, whatever order they came in', async () => {
    const runId = await newRun();
    await write((unit) => api.log(unit, { project, runId, metrics: [point(2, 10, 0.2), point(1, 99, 0.1)] }));
    await write((unit) => api.log(unit, { project, runId, metrics: [point(1, 100, 0.9)] }));
    expect(await latest(runId, 'auc')).toEqual({ key: 'auc', step: 2, timestampMs: 10, value: 0.2 });
    await write((unit) => api.log(unit, { project, runId, metrics: [point(2, 10, 0.3), point(2, 10, 0.2)] }));
    expect(await latest(runId, 'auc')).toMatchObject({ value: 0.3 });
  });

  test('exact duplicates are kept once; NaN and infinities come back as they were', async () => {
    const runId = await newRun();
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.1 + 0.2, 5e-324, 0];
    const metrics = values.map((value, step) => ({ key: 'm', value, step, timestampMs: 7 }));
    await write((unit) => api.log(unit, { project, runId, metrics: [...metrics, ...metrics] }));
    await write((unit) => api.log(unit, { project, runId, metrics }));
    const history = await api.metricHistory(database.read, { project, runId, key: 'm' });
    expect(history.map(({ value }) => value)).toEqual(values);
    expect(await api.metricHistory(database.read, { project, runId, key: 'never' })).toEqual([]);
    const after = { timestampMs: 7, step: 3, value: 0.1 + 0.2, special: 0 };
    const rest = await api.metricHistory(database.read, { project, runId, key: 'm', limit: 1, after });
    expect(rest).toEqual([{ key: 'm', value: 5e-324, step: 4, timestampMs: 7 }]);
  });

  describe('a batch of many keys', () => {
    test('is read like any other before and after it is put in order: ordered, duplicates once, numbers whole', async () => {
      const runId = await newRun();
      const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 60, 0.1 + 0.2, 5e-324, -1e-7];
      const batches = odd.map((value, step) => wide(step, () => value));
      for (const batch of [...batches, ...batches]) await logPoints(runId, batch); // each twice, as a client that tries again
      await logPoints(runId, batches[3]?.slice(7, 8) ?? []); // and a point of its own, which is stored apart
      expect(await waiting(runId)).toBe(odd.length * 2 * 100);
      const later = odd.map((value, step) => ({ key: 'm7', value, step, timestampMs: 1000 - step })).toReversed();
      const check = async () => {
        expect(await historyOf(runId, 'm7')).toEqual(later);
        expect(await historyOf(runId, 'm7', { limit: 2, offset: 3 })).toEqual(later.slice(3, 5));
        const at = later[2];
        const after = { timestampMs: at?.timestampMs ?? 0, step: at?.step ?? 0, value: at?.value ?? 0, special: 0 };
        const rest = await api.metricHistory(database.read, { project, runId, key: 'm7', limit: 3, after });
        expect(rest).toEqual(later.slice(3, 6));
        expect(await latest(runId, 'm7')).toMatchObject({ step: odd.length - 1, value: -1e-7 });
      };
      await check();
      await write((unit) => api.finishRun(unit, { project, runId, status: 'FINISHED' }));
      expect(await waiting(runId)).toBe(0);
      await check();
    });

    test('waits only until there are some thousands of points', async () => {
      const runId = await newRun();
      for (let step = 0; step < 60; step += 1)
        await logPoints(
          runId,
          wide(step, (n) => n * 1000 + step),
        );
      await expect.poll(() => waiting(runId)).toBeLessThanOrEqual(1000);
      const steps = (await historyOf(runId, 'm42')).map(({ step, value }) => [step, value]);
      expect(steps).toEqual(Array.from({ length: 60 }, (_, n) => [59 - n, 42_059 - n]));
    });

    test('may have any key that is a name', async () => {
      const runId = await newRun();
      const keys = ['5', '007', 'val/acc', 'a.b', 'a b:c-d', 'ünï', '__proto__', 'constructor', 'true', 'null'];
      const named = keys.map((key, n) => ({ key, value: n + 0.5, step: 1, timestampMs: 9 }));
      await logPoints(runId, [...named, ...wide(1, () => 0).map((metric) => ({ ...metric, timestampMs: 9 }))]);
      expect(await waiting(runId)).toBe(keys.length + 100);
      const histories = async () => Promise.all(keys.map((key) => historyOf(runId, key)));
      expect(await histories()).toEqual(named.map((metric) => [metric]));
      expect(await historyOf(runId, 'nothing')).toEqual([]);
      await write((unit) => api.finishRun(unit, { project, runId, status: 'FAILED' }));
      expect(await histories()).toEqual(named.map((metric) => [metric]));
      for (const metric of named) expect(await latest(runId, metric.key)).toEqual(metric);
    });

    test('keeps both values of a key at one instant', async () => {
      const runId = await newRun();
      await logPoints(runId, [...wide(3, () => 1), ...wide(3, (n) => (n < 30 ? 2 : 1))]);
      expect((await historyOf(runId, 'm7')).map(({ value }) => value)).toEqual([1, 2]);
      expect((await historyOf(runId, 'm70')).map(({ value }) => value)).toEqual([1]);
      expect(await latest(runId, 'm7')).toMatchObject({ value: 2 });
    });

    test('leaves nothing behind when it is refused', async () => {
      const runId = await newRun();
      await write((unit) => api.log(unit, { project, runId, params: [{ key: 'lr', value: '1' }] }));
      const refused = write(async (unit) => {
        await api.log(unit, { project, runId, metrics: wide(0, () => 1) });
        await api.log(unit, { project, runId, params: [{ key: 'lr', value: '2' }] });
      });
      await expect(refused).rejects.toMatchObject({ code: 'PARAM_CHANGED' });
      expect(await waiting(runId)).toBe(0);
      expect(await historyOf(runId, 'm1')).toEqual([]);
    });
  });

  test('params do not change, and a refused batch leaves nothing behind', async () => {
    const runId = await newRun();
    await write((unit) => api.log(unit, { project, runId, params: [{ key: 'lr', value: '0.1' }] }));
    await write((unit) => api.log(unit, { project, runId, params: [{ key: 'lr', value: '0.1' }] }));
    const changed = write((unit) =>
      api.log(unit, {
        project,
        runId,
        metrics: [{ key: 'm', value: 1, step: 0, timestampMs: 1 }],
        params: [{ key: 'lr', value: '0.2' }],
      }),
    );
    await expect(changed).rejects.toMatchObject({ code: 'PARAM_CHANGED' });
    expect(await api.run(database.read, project, runId)).toMatchObject({
      metrics: [],
      params: [{ key: 'lr', value: '0.1' }],
    });
  });

  test('names of metrics that are no names are refused', async () => {
    const runId = await newRun();
    for (const key of ['a/../b', '/a', 'a//b', 'a\nb', '', 'x'.repeat(251)])
      await expect(
        write((unit) => api.log(unit, { project, runId, metrics: [{ key, value: 1, step: 0, timestampMs: 1 }] })),
      ).rejects.toMatchObject({ code: 'TRACKING_VALUE_INVALID' });
  });

  test('the name tag names the run, and a run without a name gets one', async () => {
    const created = await write((unit) => api.createRun(unit, { project }));
    expect(created.info.name).toMatch(/^[a-z]+-[a-z]+-\d+$/);
    expect(created.tags).toEqual([{ key: 'mlflow.runName', value: created.info.name }]);
    const { runId } = created.info;
    await write((unit) => api.log(unit, { project, runId, tags: [{ key: 'mlflow.runName', value: 'renamed' }] }));
    expect((await api.run(database.read, project, runId))?.info.name).toBe('renamed');
  });

  test('a child run knows its parent, and both are in the lineage', async () => {
    const parent = await newRun();
    const child = await newRun([{ key: 'mlflow.parentRunId', value: parent }]);
    expect(await api.runInfo(database.read, project, child)).toMatchObject({ parentRunId: parent });
    expect(edges).toContain(`tracking-run:${parent} caused tracking-run:${child}`);
  });

  test('a run of one project is not there for another', async () => {
    const runId = await newRun();
    expect(await api.run(database.read, 'elsewhere', runId)).toBeUndefined();
    await expect(write((unit) => api.log(unit, { project: 'elsewhere', runId, params: [] }))).rejects.toMatchObject({
      code: 'TRACKING_RUN_NOT_FOUND',
    });
  });

  test('searching compares metrics, params, tags, attributes and data sets', async () => {
    const seeds = [
      { model: 'tree', auc: 0.7, team: 'A_x' },
      { model: 'Tree', auc: 0.8, team: 'a_x' },
      { model: 'linear', auc: Number.NaN, team: 'b' },
      { model: undefined, auc: undefined, team: 'c' },
    ];
    const ids: string[] = [];
    for (const { model, auc, team } of seeds) {
      database.clock.advance(1000);
      const runId = await newRun([{ key: 'team', value: team }]);
      ids.push(runId);
      await write((unit) =>
        api.log(unit, {
          project,
          runId,
          ...(auc !== undefined && { metrics: [{ key: 'auc', value: auc, step: 0, timestampMs: 1 }] }),
          ...(model !== undefined && { params: [{ key: 'model', value: model }] }),
        }),
      );
    }
    const dataset = { name: 'flights', digest: 'd1', sourceType: 'local', source: '{}', tags: [] };
    await write((unit) =>
      api.logInputs(unit, {
        project,
        runId: ids[0] ?? '',
        datasets: [{ ...dataset, tags: [{ key: 'mlflow.data.context', value: 'training' }] }],
      }),
    );
    const search = async (filter: string, orderBy: readonly string[] = []) =>
      (await api.searchRuns(database.read, { project, experimentIds: ['0'], filter, orderBy, limit: 10 })).items.map(
        (run) => ids.indexOf(run.info.runId),
      );
    expect(await search('')).toEqual([3, 2, 1, 0]);
    expect(await search('metrics.auc > 0.75')).toEqual([1]);
    expect(await search('metrics.auc != 0.7')).toEqual([2, 1]);
    expect(await search("params.model LIKE 't%'")).toEqual([0]);
    expect(await search("params.model ILIKE 't%'")).toEqual([1, 0]);
    expect(await search("tags.team LIKE 'a_x'")).toEqual([1]);
    expect(await search('params.model IS NULL')).toEqual([3]);
    expect(await search("params.model != 'tree'")).toEqual([2, 1]);
    expect(await search(`run_id IN ('${ids[2]}') AND metrics.auc = 0`)).toEqual([]);
    expect(await search(`attributes.run_id NOT IN ('${ids[2]}', '${ids[3]}')`)).toEqual([1, 0]);
    expect(await search("datasets.name = 'flights' AND dataset.context = 'training'")).toEqual([0]);
    expect(await search('', ['metrics.auc DESC'])).toEqual([1, 0, 2, 3]);
    expect(await search('', ['metrics.auc ASC'])).toEqual([0, 1, 2, 3]);
    expect(await search('', ['params.model'])).toEqual([1, 2, 0, 3]);
    expect(await search('', ['start_time ASC'])).toEqual([0, 1, 2, 3]);
    for (const bad of ["metrics.auc = 'x'", 'params.model = 1', "attributes.nothing = 'x'", "foo.x = 'y'"])
      await expect(search(bad)).rejects.toMatchObject({ kind: 'invalid' });
    const page = await api.searchRuns(database.read, { project, experimentIds: ['0', '7', 'x'], limit: 3 });
    expect([page.items.length, page.next === undefined]).toEqual([3, false]);
    expect(await api.run(database.read, project, ids[0] ?? '')).toMatchObject({
      datasets: [{ name: 'flights', tags: [{ value: 'training' }] }],
    });
  });

  test('logged models carry params, tags and the metrics measured of them', async () => {
    const runId = await newRun();
    const { modelId, artifactUri } = await write((unit) =>
      api.createLoggedModel(unit, {
        project,
        experimentId: '0',
        name: 'model',
        sourceRunId: runId,
        params: [{ key: 'depth', value: '3' }],
      }),
    );
    expect(modelId).toMatch(/^m-[0-9a-f]{32}$/);
    expect(artifactUri).toBe(`mlflow-artifacts:/0/models/${modelId}/artifacts`);
    const metrics = [
      { key: 'auc', value: 0.5, step: 0, timestampMs: 1, modelId, datasetName: 'd', datasetDigest: 'x' },
    ];
    await write((unit) => api.log(unit, { project, runId, metrics }));
    await write((unit) => api.logOutputs(unit, { project, runId, models: [{ modelId, step: 3 }] }));
    await write((unit) => api.setLoggedModelTags(unit, { project, modelId, tags: [{ key: 'a', value: 'b' }] }));
    await write((unit) => api.finalizeLoggedModel(unit, { project, modelId, status: 'LOGGED_MODEL_READY' }));
    expect(await api.loggedModel(database.read, project, modelId)).toMatchObject({
      status: 'LOGGED_MODEL_READY',
      params: [{ key: 'depth', value: '3' }],
      tags: [{ key: 'a' }],
      metrics: [{ key: 'auc', value: 0.5, runId, datasetName: 'd' }],
    });
    expect(await api.run(database.read, project, runId)).toMatchObject({ modelOutputs: [{ modelId, step: 3 }] });
    expect(edges).toContain(`tracking-run:${runId} produced logged-model:${modelId}`);
    const search = async (filter: string) =>
      (
        await api.searchLoggedModels(database.read, {
          project,
          experimentIds: ['0'],
          lifecycle: 'active',
          filter,
          limit: 5,
        })
      ).items.length;
    expect(await search("status = 'LOGGED_MODEL_READY' AND metrics.auc > 0.4 AND params.depth = '3'")).toBe(1);
    expect(await search("name = 'elsewhere'")).toBe(0);
    await write((unit) => api.deleteLoggedModel(unit, { project, modelId }));
    expect(await api.loggedModel(database.read, project, modelId)).toBeUndefined();
  });

  test('artifacts are a tree whose owner holds the bytes', async () => {
    const run = 'a'.repeat(32);
    const put = (path: string, sha256: string) =>
      write((unit) => api.putArtifact(unit, { project, path, sha256, sizeBytes: 3 }));
    await put(`0/${run}/artifacts/plots/a.png`, digest(1));
    await put(`0/${run}/artifacts/plots/b.png`, digest(1));
    await put(`0/${run}/artifacts/model/MLmodel`, digest(2));
    expect(retained).toContain(`+tracking-run:${run} ${digest(1)}`);
    const folder = await api.artifactFolder(database.read, project, `0/${run}/artifacts`);
    expect(folder.map(({ path, isFolder }) => [path.split('/').at(-1), isFolder])).toEqual([
      ['model', true],
      ['plots', true],
    ]);
    const tree = await api.artifactTree(database.read, project, `0/${run}/artifacts`);
    expect(tree.map(({ path }) => path.slice(`0/${run}/artifacts/`.length))).toEqual([
      'model/MLmodel',
      'plots/a.png',
      'plots/b.png',
    ]);
    await write((unit) => api.deleteArtifact(unit, { project, path: `0/${run}/artifacts/plots/a.png` }));
    expect(retained.filter((line) => line.startsWith('-'))).toEqual([]); // b.png has the same bytes
    await write((unit) => api.deleteArtifact(unit, { project, path: `0/${run}` }));
    expect(retained.filter((line) => line.startsWith('-')).toSorted()).toEqual([
      `-tracking-run:${run} ${digest(1)}`,
      `-tracking-run:${run} ${digest(2)}`,
    ]);
    expect(await api.artifactTree(database.read, project, '')).toEqual([]);
    for (const path of ['../x', 'a/../../x', '/etc/passwd', 'a\0b', ''])
      await expect(put(path, digest(3))).rejects.toMatchObject({ code: 'ARTIFACT_PATH_INVALID' });
    await put('0/file', digest(3));
    await expect(put('0/file/below', digest(3))).rejects.toMatchObject({ code: 'ARTIFACT_IS_FOLDER' });
    await expect(put('0', digest(3))).rejects.toMatchObject({ code: 'ARTIFACT_IS_FOLDER' });
  });
});
