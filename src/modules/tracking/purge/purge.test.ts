import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunRecord } from '#contracts/transfer';
import { createArtifactsModule } from '#modules/artifacts';
import { createLocalBlobStore } from '#platform/blobs';
import type { Unit } from '#platform/database';
import { createLogger } from '#platform/log';
import { describeDatabases, newSqlitePath, type TestDatabase } from '#platform/testing/database';
import { checkImported } from '../checked-imports.ts';
import { createImportService } from '../import-service.ts';
import { createTrackingModule, type TrackingApi } from '../index.ts';
import type { TrackingDeps } from '../tracking-deps.ts';
import { createPurgeLoop, type PurgeLoop } from './purge-loop.ts';
import type { PurgeTarget } from './purge-service.ts';
import { createPurgeSteps } from './purge-steps.ts';

const actor = { actor: 'user:test' };
const digest = (n: number) => String(n).padStart(64, '0');
const logger = createLogger({ level: 'silent' });
const dayMs = 86_400_000;
/** What is left of things that were purged is looked for in all of these. */
const tables = [
  'tracking_runs',
  'tracking_metrics',
  'tracking_metric_batches',
  'tracking_latest_metrics',
  'tracking_params',
  'tracking_run_tags',
  'tracking_datasets',
  'tracking_inputs',
  'tracking_input_tags',
  'tracking_run_models',
  'tracking_logged_models',
  'tracking_logged_model_params',
  'tracking_logged_model_tags',
  'tracking_logged_model_metrics',
  'tracking_run_documents',
  'tracking_packed_histories',
  'tracking_listed_metrics',
  'tracking_listed_texts',
  'tracking_artifacts',
  'tracking_purge_items',
  'artifact_holds',
];

const runRecord: RunRecord = {
  id: '',
  experimentId: '0',
  name: 'again',
  status: 'FINISHED',
  user: 'ann',
  startMs: 1,
  lifecycle: 'active',
  params: [],
  tags: [],
  datasets: [],
  modelInputs: [],
  modelOutputs: [],
};

function loopOver(target: TestDatabase, deps: TrackingDeps, tracking: TrackingApi, purgeAfterMs?: number): PurgeLoop {
  const { clock } = target;
  return createPurgeLoop({
    database: target,
    clock,
    logger,
    steps: createPurgeSteps(deps),
    service: tracking,
    purgeAfterMs,
  });
}

function depsOf(target: TestDatabase): TrackingDeps {
  const { clock, ids } = target;
  const blobs = createLocalBlobStore(`${newSqlitePath()}-blobs`);
  return {
    database: target,
    ids,
    clock,
    logger,
    projects: { list: async () => [] },
    artifacts: createArtifactsModule({ database: target, blobs, clock, logger }).api,
    lineage: { record: async () => undefined },
  };
}

describeDatabases('purging', (open) => {
  let database: TestDatabase;
  let project: string;
  let projects = 0;
  let api: TrackingApi;
  let loop: PurgeLoop;
  const write = <T>(work: (unit: Unit) => Promise<T>) => database.write(actor, work);

  beforeAll(async () => {
    database = await open();
    const deps = depsOf(database);
    api = createTrackingModule(deps).api;
    loop = loopOver(database, deps, api);
  });
  beforeEach(() => {
    projects += 1;
    project = `p${projects}`; // an empty one for each test
  });
  afterAll(() => database.close());

  const newExperiment = (name: string) => write((unit) => api.createExperiment(unit, { project, name }));
  const count = async (table: string) =>
    (await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(database.read.query())).rows[0]
      ?.n ?? 0;
  const census = async () => Object.fromEntries(await Promise.all(tables.map(async (t) => [t, await count(t)])));
  const eventsOf = async () =>
    (
      await sql<{ type: string }>`select type from events where project = ${project} order by id`.execute(
        database.read.query(),
      )
    ).rows
      .map(({ type }) => type)
      .filter((type) => type.includes('purge'));

  /** A run with something in every table; its files are two of its own and one of the digest `shared`. */
  async function fullRun(experimentId: string, seed: number, points = 40): Promise<string> {
    return await write(async (unit) => {
      const { info } = await api.createRun(unit, { project, experimentId, tags: [{ key: 'k', value: 'v' }] });
      const { runId } = info;
      const narrow = Array.from({ length: points }, (_, step) => ({ key: 'loss', value: step, step, timestampMs: 1 }));
      const wide = Array.from({ length: 30 }, (_, n) => ({ key: `m${n}`, value: n, step: 0, timestampMs: 2 }));
      await api.log(unit, { project, runId, metrics: [...narrow, ...wide], params: [{ key: 'lr', value: '1' }] });
      const dataset = {
        name: `rows ${seed}`,
        digest: 'd',
        sourceType: 's',
        source: '{}',
        tags: [{ key: 'c', value: 't' }],
      };
      await api.logInputs(unit, { project, runId, datasets: [dataset, { ...dataset, name: 'common' }] });
      const root = info.artifactUri.slice('mlflow-artifacts:/'.length);
      for (const [path, sha256] of [
        ['model/weights', digest(seed)],
        ['model/copy of weights', digest(seed)],
        ['plot.png', digest(999)],
      ] as const)
        await api.putArtifact(unit, { project, path: `${root}/${path}`, sha256, sizeBytes: 10 });
      return runId;
    });
  }

  async function fullModel(experimentId: string, sourceRunId: string, seed: number): Promise<string> {
    return await write(async (unit) => {
      const pair = [{ key: 'a', value: 'b' }];
      const model = await api.createLoggedModel(unit, { project, experimentId, sourceRunId, params: pair, tags: pair });
      const { modelId, artifactUri } = model;
      await api.logOutputs(unit, { project, runId: sourceRunId, models: [{ modelId, step: 1 }] });
      const metrics = [{ key: 'acc', value: 1, step: 1, timestampMs: 1, modelId }];
      await api.log(unit, { project, runId: sourceRunId, metrics });
      const path = `${artifactUri.slice('mlflow-artifacts:/'.length)}/MLmodel`;
      await api.putArtifact(unit, { project, path, sha256: digest(seed), sizeBytes: 7 });
      return modelId;
    });
  }

  const purge = (target: Omit<PurgeTarget, 'project'>, force = false) =>
    write((unit) => api.purge(unit, { project, ...target, force }));

  test('a run goes with all that it owns, and nothing else does', async () => {
    const experimentId = await newExperiment('e');
    const kept = await fullRun(experimentId, 1);
    const before = await census();
    const runId = await fullRun(experimentId, 2);
    await expect(purge({ kind: 'tracking-run', id: runId })).rejects.toMatchObject({ code: 'PURGE_NOT_DELETED' });
    await write((unit) => api.deleteRun(unit, { project, runId }));
    const preview = await api.previewPurge(database.read, { project, kind: 'tracking-run', id: runId });
    expect(preview).toMatchObject({ runs: 1, points: 70, files: 3, sizeBytes: 30, lifecycle: 'deleted' });

    const { purgeId } = await purge({ kind: 'tracking-run', id: runId });
    expect(await api.run(database.read, project, runId)).toBeUndefined();
    await loop.runDue();
    // whoever made it ends it later
    await write((unit) => api.finishRun(unit, { project, runId, status: 'FINISHED' }));

    expect(await census()).toEqual(before);
    expect(await api.purgeById(database.read, project, purgeId)).toMatchObject({
      state: 'done',
      removed: { runs: 1, points: 70, files: 3, sizeBytes: 30, experiments: 0, loggedModels: 0 },
    });
    const tree = await api.artifactTree(database.read, project, experimentId);
    expect(tree).toHaveLength(3);
    expect((await api.run(database.read, project, kept))?.datasets.map(({ name }) => name)).toContain('common');
    expect(await eventsOf()).toEqual(['purge.requested', 'tracking-runs.purged', 'purge.finished']);
    await expect(purge({ kind: 'tracking-run', id: runId }, true)).rejects.toMatchObject({
      code: 'TRACKING_RUN_NOT_FOUND',
    });
  });

  test('an experiment leaves at once: its name is free, its number is not given again', async () => {
    const before = await census();
    const experimentId = await newExperiment('mine');
    const runs = [await fullRun(experimentId, 3), await fullRun(experimentId, 4)];
    const running = await write((unit) => api.createRun(unit, { project, experimentId }));
    const modelId = await fullModel(experimentId, runs[0] ?? '', 5);
    await write((unit) =>
      api.putArtifact(unit, { project, path: `${experimentId}/traces/t/x.json`, sha256: digest(6), sizeBytes: 1 }),
    );
    const preview = await api.previewPurge(database.read, { project, kind: 'experiment', id: experimentId });
    expect(preview).toMatchObject({ name: 'mine', experiments: 1, runs: 3, loggedModels: 1, files: 8, points: 142 });

    const { purgeId } = await purge({ kind: 'experiment', id: experimentId }, true);
    expect(await api.experiment(database.read, project, experimentId)).toBeUndefined();
    expect(await api.run(database.read, project, runs[0] ?? '')).toBeUndefined();
    expect(await api.loggedModel(database.read, project, modelId)).toBeUndefined();
    await write((unit) => api.finishRun(unit, { project, runId: running.info.runId, status: 'KILLED' }));
    const finished = sql<object>`select id from events where type = 'tracking-run.finished'
      and subject = ${`tracking-run:${running.info.runId}`}`;
    expect((await finished.execute(database.read.query())).rows).toEqual([]);
    const gone = { code: 'TRACKING_RUN_NOT_FOUND' };
    const late = { project, runId: runs[0] ?? '', params: [{ key: 'late', value: '1' }] };
    await expect(write((unit) => api.log(unit, late))).rejects.toMatchObject(gone);
    await expect(api.metricHistory(database.read, { ...late, key: 'loss' })).rejects.toMatchObject(gone);
    expect(await newExperiment('mine')).toBe(String(Number(experimentId) + 1));
    await expect(write((unit) => api.restoreExperiment(unit, { project, experimentId }))).rejects.toMatchObject({
      code: 'EXPERIMENT_NOT_FOUND',
    });
    await expect(write((unit) => api.restoreRun(unit, { project, runId: runs[0] ?? '' }))).rejects.toMatchObject({
      code: 'TRACKING_RUN_NOT_FOUND',
    });
    await loop.runDue();

    expect(await census()).toEqual(before);
    expect(await api.purgeById(database.read, project, purgeId)).toMatchObject({
      state: 'done',
      removed: { experiments: 1, runs: 3, loggedModels: 1, points: preview.points, files: 8 },
    });
    const all = await api.searchExperiments(database.read, { project, limit: 10 });
    expect(all.items.map(({ name }) => name)).toEqual(['mine', 'Default']);
  });

  test('experiment 0 stays; a logged model goes alone, and can be restored only before', async () => {
    await expect(purge({ kind: 'experiment', id: '0' }, true)).rejects.toMatchObject({
      code: 'PURGE_DEFAULT_EXPERIMENT',
    });
    const runId = await fullRun('0', 7);
    const before = await census();
    const modelId = await fullModel('0', runId, 8);
    await write((unit) => api.deleteLoggedModel(unit, { project, modelId }));
    await write((unit) => api.restoreLoggedModel(unit, { project, modelId }));
    expect(await api.loggedModel(database.read, project, modelId)).toMatchObject({ tags: [{ key: 'a' }] });
    await purge({ kind: 'logged-model', id: modelId }, true);
    await expect(write((unit) => api.restoreLoggedModel(unit, { project, modelId }))).rejects.toMatchObject({
      code: 'LOGGED_MODEL_NOT_FOUND',
    });
    await loop.runDue();
    const after = await census();
    // the run keeps what it said of the model: that it made it, and the point that it logged for it
    for (const table of ['tracking_metrics', 'tracking_latest_metrics', 'tracking_run_models'])
      expect([table, after[table]]).toEqual([table, Number(before[table]) + 1]);
    for (const table of ['tracking_logged_models', 'tracking_logged_model_metrics', 'tracking_logged_model_tags'])
      expect([table, after[table]]).toEqual([table, before[table]]);
    expect(after['artifact_holds']).toBe(before['artifact_holds']);
  });

  test('all that was deleted long enough ago is purged, and what was deleted later or not at all is kept', async () => {
    const old = await newExperiment('old');
    const oldRun = await fullRun(old, 10);
    const loose = await fullRun('0', 11);
    const alive = await fullRun('0', 12);
    const model = await fullModel('0', alive, 13);
    await write(async (unit) => {
      await api.deleteExperiment(unit, { project, experimentId: old });
      await api.deleteRun(unit, { project, runId: loose });
      await api.deleteLoggedModel(unit, { project, modelId: model });
    });
    database.clock.advance(10 * dayMs);
    const late = await fullRun('0', 14);
    await write((unit) => api.deleteRun(unit, { project, runId: late }));
    const deletedBeforeMs = database.clock.nowMs() - 5 * dayMs;
    const preview = await api.previewPurgeDeleted(database.read, { project, deletedBeforeMs });
    expect(preview).toMatchObject({ experiments: 1, runs: 2, loggedModels: 1 });
    const { purgeId } = await write((unit) => api.purgeDeleted(unit, { project, deletedBeforeMs }));
    await loop.runDue();
    const { removed } = (await api.purgeById(database.read, project, purgeId)) ?? {};
    const { target: _, lifecycle: __, pointsAtLeast: ___, ...expected } = preview;
    expect(removed).toEqual(expected);
    for (const [runId, there] of [
      [oldRun, false],
      [loose, false],
      [alive, true],
      [late, true],
    ] as const)
      expect((await api.run(database.read, project, runId)) !== undefined).toBe(there);
    expect(await api.experimentByName(database.read, project, 'old')).toBeUndefined();
  });

  test('with an age set, what gets that old is purged without being asked, and asked for once', async () => {
    const own = await open();
    const deps = depsOf(own);
    const tracking = createTrackingModule(deps).api;
    const aged = loopOver(own, deps, tracking, 30 * dayMs);
    const { info } = await own.write(actor, (unit) => tracking.createRun(unit, { project }));
    await own.write(actor, (unit) => tracking.deleteRun(unit, { project, runId: info.runId }));
    own.clock.advance(29 * dayMs);
    await aged.runDue();
    expect(await tracking.purges(own.read, project, { limit: 10, beforeId: undefined })).toEqual([]);
    expect(await tracking.runInfo(own.read, project, info.runId)).toMatchObject({ lifecycle: 'deleted' });
    own.clock.advance(dayMs);
    await aged.runDue();
    await aged.runDue();
    expect(await tracking.purges(own.read, project, { limit: 10, beforeId: undefined })).toMatchObject([
      { requestedBy: 'system:tracking.purge', state: 'done', removed: { runs: 1 } },
    ]);
    expect(await tracking.runInfo(own.read, project, info.runId)).toBeUndefined();
  });

  test('a purge that cannot go on waits longer each time and says why; the others pass it', async () => {
    const [bad, good] = [await fullRun('0', 40), await fullRun('0', 41)];
    const [{ purgeId: failing }, { purgeId: other }] = [
      await purge({ kind: 'tracking-run', id: bad }, true),
      await purge({ kind: 'tracking-run', id: good }, true),
    ];
    const steps = createPurgeSteps(depsOf(database));
    let broken = true;
    const failingLoop = createPurgeLoop({
      database,
      clock: database.clock,
      logger,
      service: api,
      purgeAfterMs: undefined,
      steps: {
        async advance(unit, one) {
          if (broken && one.purgeId === failing) throw new Error('a page of the file is broken');
          return await steps.advance(unit, one);
        },
      },
    });
    const failureOf = async (purgeId: string) => (await api.purgeById(database.read, project, purgeId))?.failure;
    await failingLoop.runDue();
    expect(await api.purgeById(database.read, project, other)).toMatchObject({ state: 'done', failure: undefined });
    const first = await failureOf(failing);
    expect(first).toMatchObject({
      attempts: 1,
      message: expect.stringContaining('log'),
      nextAttemptMs: expect.any(Number),
    });
    await failingLoop.runDue(); // not yet
    expect(await failureOf(failing)).toEqual(first);
    database.clock.advance(5_000);
    await failingLoop.runDue();
    const second = await failureOf(failing);
    expect(second?.attempts).toBe(2);
    expect((second?.nextAttemptMs ?? 0) - database.clock.nowMs()).toBe(15_000);
    broken = false;
    database.clock.advance(15_000);
    await failingLoop.runDue();
    expect(await api.purgeById(database.read, project, failing)).toMatchObject({ state: 'done', failure: undefined });
  });

  test('a purge that died in the middle goes on, and counts nothing twice', async () => {
    const experimentId = await newExperiment('large');
    const before = await census();
    const runs = [await fullRun(experimentId, 20, 5_000), await fullRun(experimentId, 21, 5_000)];
    const { purgeId } = await purge({ kind: 'experiment', id: experimentId }, true);
    const steps = createPurgeSteps(depsOf(database));
    // some units, each of which is cut off once after it has done its work
    let done = false;
    for (let units = 0; !done; units += 1) {
      const cut = database.write(actor, async (unit) => {
        await steps.advance(unit, { project, purgeId });
        throw new Error('cut off');
      });
      await expect(cut).rejects.toThrow('cut off');
      done = await write((unit) => steps.advance(unit, { project, purgeId }));
      expect(units).toBeLessThan(1000);
    }
    expect(await census()).toEqual(before);
    expect(await api.purgeById(database.read, project, purgeId)).toMatchObject({
      removed: { runs: runs.length, points: 2 * 5_030, files: 6, experiments: 1 },
    });
  });

  test('what a purge is taking away is not brought in until it has gone, and then stays', async () => {
    const imports = createImportService(depsOf(database), api);
    const bring = (...ids: readonly string[]) => {
      const runs = ids.map((id) => ({ ...runRecord, id }));
      return write((unit) => imports.importRuns(unit, project, runs));
    };
    const experimentId = await newExperiment('goes');
    const [alone, inside] = [await fullRun('0', 30), await fullRun(experimentId, 31)];
    await write((unit) =>
      imports.markImported(
        unit,
        project,
        [alone, inside].map((id) => ({ id, print: 'p', points: 1, files: 0, fileBytes: 0, filesDigest: '' })),
      ),
    );
    await purge({ kind: 'tracking-run', id: alone }, true);
    await purge({ kind: 'experiment', id: experimentId }, true);
    for (const id of [alone, inside]) await expect(bring(id)).rejects.toMatchObject({ code: 'IMPORT_BEING_PURGED' });
    await expect(bring('twice', 'twice')).rejects.toMatchObject({ code: 'TRACKING_VALUE_INVALID' });
    await loop.runDue();
    expect(await bring(alone, inside)).toEqual({ made: 2, known: 0 });
    // neither is wholly here yet: an import that breaks off now begins them again
    expect(await checkImported(database.read, project, [alone, inside], false)).toEqual([
      { id: alone },
      { id: inside },
    ]);
    await loop.runDue();
    expect(await api.runInfo(database.read, project, inside)).toMatchObject({ experimentId: '0' });
  });
});
