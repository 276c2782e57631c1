import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { type TrackingModule } from './index.ts';
import { createTrackingAlone } from './testing/tracking-alone.ts';
import type { TrackingTables } from './tracking-tables.ts';

const actor = { actor: 'user:test' };
const project = 'p';

describeDatabases('the listing of runs', (open) => {
  let database: TestDatabase;
  let tracking: TrackingModule;

  beforeAll(async () => {
    database = await open();
    tracking = createTrackingAlone(database);
    await database.write(actor, (unit) => tracking.api.ensureDefaultExperiment(unit, project));
  }, 120_000);
  afterAll(() => database.close());

  const createRun = (metrics: number) =>
    database.write(actor, async (unit) => {
      const { info } = await tracking.api.createRun(unit, { project, experimentId: '0' });
      const points = Array.from({ length: metrics }, (_, n) => ({ key: `m${n}`, value: n, step: 1, timestampMs: 1 }));
      await tracking.api.log(unit, { project, runId: info.runId, metrics: points });
      await tracking.api.updateRun(unit, { project, runId: info.runId, status: 'FINISHED' });
      return info.runId;
    });
  const logTo = (runId: string) =>
    database.write(actor, (unit) => tracking.api.log(unit, { project, runId, tags: [{ key: 'seen', value: 'yes' }] }));
  const listings = async (runIds: readonly string[]) => {
    const rows = await database.read
      .query<TrackingTables>()
      .selectFrom('tracking_runs')
      .select(['tracking_runs.run_id', 'tracking_runs.listing'])
      .execute();
    return runIds.map((runId) => rows.find((row) => row.run_id === runId)?.listing);
  };

  test('takes what has ended, in as many units as its values need', async () => {
    const runIds: string[] = [];
    for (const metrics of [3000, 3000, 3000, 0, 1, 4000, 5001]) runIds.push(await createRun(metrics));
    await tracking.listRuns();
    expect(await listings(runIds)).toEqual([...Array.from({ length: 6 }, () => 'listed'), 'wide']);
  });

  test('a run that is written to after its end is left alone until nobody does, each time for longer', async () => {
    const runId = await createRun(1);
    const listing = async () => {
      await tracking.listRuns();
      return (await listings([runId]))[0];
    };
    expect(await listing()).toBe('listed');
    await logTo(runId);
    expect(await listings([runId])).toEqual(['waiting']);
    expect(await listing()).toBe('waiting');
    database.clock.advance(119_000);
    expect(await listing()).toBe('waiting');
    database.clock.advance(1000);
    expect(await listing()).toBe('listed');
    await logTo(runId);
    database.clock.advance(120_000);
    expect(await listing()).toBe('waiting');
    database.clock.advance(120_000);
    expect(await listing()).toBe('listed');
  });
});
