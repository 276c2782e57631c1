import { expect, onTestFinished, test } from 'vitest';
import { createHttpServer } from '#platform/http';
import { createLogger } from '#platform/log';
import { openTestDatabase } from '#platform/testing/database';
import { createTrackingAlone } from './testing/tracking-alone.ts';

async function openServer() {
  const database = await openTestDatabase();
  const tracking = createTrackingAlone(database, ['default']);
  await tracking.start();
  const app = await createHttpServer({
    logger: createLogger({ level: 'error' }),
    authenticate: async () => ({ id: 'user:ann', can: () => true }),
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    checkAnswers: true,
  });
  tracking.routes(app);
  onTestFinished(async () => {
    await tracking.stop();
    await app.close();
  });
  const get = async (url: string) => (await app.inject({ method: 'GET', url, headers: { host: 'localhost' } })).json();
  const idsOf = async (path: string) => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const next = cursor === undefined ? '' : `&cursor=${cursor}`;
      const page = (await get(`${path}&limit=1${next}`)) as { items: { id: string }[]; next?: string };
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    } while (cursor !== undefined);
    return ids;
  };
  return { database, app, api: tracking.api, tracking, get, idsOf };
}

test('experiments and runs are listed and shown, a number that JSON cannot carry as text', async () => {
  const { database, tracking, get } = await openServer();
  const ids: string[] = [];
  for (const auc of [0.7, Number.NaN]) {
    await database.write({ actor: 'user:ann' }, async (unit) => {
      const { info } = await tracking.api.createRun(unit, { project: 'default' });
      ids.push(info.runId);
      const metrics = [{ key: 'auc', value: auc, step: 0, timestampMs: 1 }];
      await tracking.api.log(unit, { project: 'default', runId: info.runId, metrics });
      await tracking.api.finishRun(unit, { project: 'default', runId: info.runId, status: 'FINISHED' });
    });
    database.clock.advance(1000);
  }
  expect(await get('/api/v1/experiments')).toMatchObject({ items: [{ id: '0', name: 'Default' }] });
  expect(await get('/api/v1/experiments/0/runs?limit=1')).toMatchObject({
    items: [{ id: ids[1], status: 'FINISHED', metrics: [{ key: 'auc', value: 'NaN' }] }],
    next: expect.any(String),
  });
  expect(await get('/api/v1/experiments/0/runs?filter=metrics.auc%20%3E%200.5')).toMatchObject({
    items: [{ id: ids[0] }],
  });
  expect(await get(`/api/v1/tracking-runs/${ids[0]}`)).toMatchObject({ metrics: [{ value: 0.7 }] });
  expect(await get('/api/v1/tracking-runs/none')).toMatchObject({ error: { code: 'TRACKING_RUN_NOT_FOUND' } });
  expect(await get('/api/v1/experiments/9/runs')).toMatchObject({ error: { code: 'EXPERIMENT_NOT_FOUND' } });
});

test('what was deleted is listed apart, with when; what is being purged is not', async () => {
  const { database, api, get, idsOf } = await openServer();
  const write = <T>(work: Parameters<typeof database.write<T>>[1]) => database.write({ actor: 'user:ann' }, work);
  const project = 'default';
  const [kept, gone, other] = await write(async (unit) => [
    await api.createExperiment(unit, { project, name: 'kept' }),
    await api.createExperiment(unit, { project, name: 'gone' }),
    await api.createExperiment(unit, { project, name: 'other' }),
  ]);
  const make = (experimentId = '') =>
    write(async (unit) => {
      const { info } = await api.createRun(unit, { project, experimentId });
      const { modelId } = await api.createLoggedModel(unit, { project, experimentId, sourceRunId: info.runId });
      return { runId: info.runId, modelId };
    });
  const [stays, goes, below] = [await make(kept), await make(kept), await make(gone)];
  database.clock.advance(1000);
  const deletedAt = new Date(database.clock.nowMs()).toISOString();
  await write(async (unit) => {
    await api.deleteRun(unit, { project, runId: goes.runId });
    await api.deleteLoggedModel(unit, { project, modelId: goes.modelId });
    for (const experimentId of [gone ?? '', other ?? '']) await api.deleteExperiment(unit, { project, experimentId });
  });

  expect(await idsOf('/api/v1/experiments?')).toEqual([kept, '0']);
  expect(await idsOf('/api/v1/experiments?lifecycle=deleted')).toEqual([other, gone]);
  expect(await idsOf('/api/v1/experiments?lifecycle=all')).toEqual([other, gone, kept, '0']);
  expect((await get('/api/v1/experiments?lifecycle=deleted')).items[0]).toMatchObject({ name: 'other', deletedAt });
  expect(await get(`/api/v1/experiments/${kept}`)).not.toHaveProperty('deletedAt');

  expect(await idsOf('/api/v1/tracking-runs?')).toEqual([stays.runId]);
  expect(await idsOf('/api/v1/tracking-runs?lifecycle=deleted')).toEqual([goes.runId]);
  expect((await idsOf('/api/v1/tracking-runs?lifecycle=all')).toSorted()).toEqual([stays.runId, goes.runId].toSorted());
  expect(await idsOf(`/api/v1/tracking-runs?lifecycle=deleted&experiments=${gone}`)).toEqual([below.runId]);
  expect(await idsOf(`/api/v1/experiments/${kept}/runs?lifecycle=deleted`)).toEqual([goes.runId]);
  expect(await get('/api/v1/tracking-runs/count?lifecycle=deleted')).toEqual({ count: 1 });
  expect(await get(`/api/v1/tracking-runs/${goes.runId}`)).toMatchObject({ deletedAt });

  expect(await idsOf('/api/v1/logged-models?')).toEqual([stays.modelId]);
  expect(await idsOf('/api/v1/logged-models?lifecycle=deleted')).toEqual([goes.modelId]);
  expect(await idsOf(`/api/v1/logged-models?experiments=${gone}`)).toEqual([below.modelId]);
  expect(await get(`/api/v1/logged-models/${goes.modelId}`)).toMatchObject({ run: goes.runId, deletedAt });

  await write((unit) => api.restoreLoggedModel(unit, { project, modelId: goes.modelId }));
  expect((await idsOf('/api/v1/logged-models?lifecycle=all')).toSorted()).toEqual(
    [stays.modelId, goes.modelId].toSorted(),
  );
  expect(await get(`/api/v1/logged-models/${goes.modelId}`)).not.toHaveProperty('deletedAt');
  await write((unit) => api.purge(unit, { project, kind: 'logged-model', id: goes.modelId, force: true }));
  for (const lifecycle of ['deleted', 'all'])
    expect(await idsOf(`/api/v1/logged-models?lifecycle=${lifecycle}`)).not.toContain(goes.modelId);
  expect(await get(`/api/v1/logged-models/${goes.modelId}`)).toMatchObject({
    error: { code: 'LOGGED_MODEL_NOT_FOUND' },
  });
});

test('logged models are filtered, ordered and shown with what was measured of them', async () => {
  const { database, api, get, idsOf } = await openServer();
  const project = 'default';
  const [weak, strong] = await database.write({ actor: 'user:ann' }, async (unit) => {
    const { info } = await api.createRun(unit, { project });
    const ids: string[] = [];
    for (const value of [0.6, 0.8]) {
      const params = [{ key: 'depth', value: '3' }];
      const { modelId } = await api.createLoggedModel(unit, { project, experimentId: '0', name: 'forest', params });
      const metrics = [
        { key: 'auc', value, step: 2, timestampMs: 1, modelId, datasetName: 'test', datasetDigest: 'd' },
      ];
      await api.log(unit, { project, runId: info.runId, metrics });
      ids.push(modelId);
    }
    await api.finalizeLoggedModel(unit, { project, modelId: ids[1] ?? '', status: 'LOGGED_MODEL_READY' });
    return ids;
  });
  expect(await idsOf('/api/v1/logged-models?order=metrics.auc')).toEqual([weak, strong]);
  expect(await idsOf('/api/v1/logged-models?order=metrics.auc%20DESC')).toEqual([strong, weak]);
  expect(await idsOf('/api/v1/logged-models?filter=metrics.auc%20%3E%200.7')).toEqual([strong]);
  expect(await get("/api/v1/logged-models?filter=status%20%3D%20'PENDING'")).toMatchObject({ items: [{ id: weak }] });
  expect(await get(`/api/v1/logged-models/${strong}`)).toMatchObject({
    name: 'forest',
    status: 'READY',
    metrics: [{ key: 'auc', value: 0.8, step: 2, dataset: 'test' }],
    params: [{ key: 'depth', value: '3' }],
  });
  expect(await get('/api/v1/logged-models?filter=nonsense')).toMatchObject({
    error: { code: 'SEARCH_FILTER_INVALID' },
  });
});

test('pages of logged models go on where the last one ended, whatever was logged meanwhile', async () => {
  const { database, api, get } = await openServer();
  const project = 'default';
  const make = () =>
    database.write({ actor: 'user:ann' }, (unit) =>
      api.createLoggedModel(unit, { project, experimentId: '0', name: 'forest' }),
    );
  const made: string[] = [];
  for (let n = 0; n < 5; n += 1) made.push((await make()).modelId);
  async function pagesOf(order: string, between: () => Promise<void>): Promise<readonly string[]> {
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const page = (await get(`/api/v1/logged-models?limit=2${order}${cursor}`)) as {
        items: { id: string }[];
        next?: string;
      };
      seen.push(...page.items.map(({ id }) => id));
      if (page.next === undefined) return seen;
      cursor = `&cursor=${page.next}`;
      await between();
    }
  }
  expect((await pagesOf('&order=name', async () => undefined)).toSorted()).toEqual(made.toSorted());
  const whileLogging = await pagesOf('', async () => {
    database.clock.advance(1000);
    await make(); // the newest comes first: the pages that follow have not seen it
  });
  expect(whileLogging.toSorted()).toEqual(made.toSorted());
});
