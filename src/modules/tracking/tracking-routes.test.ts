import { expect, onTestFinished, test } from 'vitest';
import { createHttpServer } from '#platform/http';
import { createLogger } from '#platform/log';
import { openTestDatabase } from '#platform/testing/database';
import { createTrackingAlone } from './testing/tracking-alone.ts';

test('experiments and runs are listed and shown, a number that JSON cannot carry as text', async () => {
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
  onTestFinished(() => tracking.stop());
  const get = async (url: string) => (await app.inject({ method: 'GET', url, headers: { host: 'localhost' } })).json();

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
  await app.close();
});
