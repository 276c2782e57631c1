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

  test('an experiment with many runs is deleted and restored in short units, and goes on where it was cut short', async () => {
    let changes: number[] = [];
    let lastDeleted = 0;
    let failsAt = Number.POSITIVE_INFINITY;
    const countDeleted = async () =>
      other.api.countRuns(database.read, { ...inProject, experimentIds: [experimentId], lifecycle: 'deleted' });
    const watched: TestDatabase = {
      ...database,
      async write(context, work) {
        if (changes.length >= failsAt) throw new Error('cut short');
        const value = await database.write(context, work);
        const deleted = await countDeleted();
        changes.push(Math.abs(deleted - lastDeleted));
        lastDeleted = deleted;
        return value;
      },
    };
    const other = createTrackingAlone(watched);
    const inProject = { project: 'many' };
    const experimentId = await database.write(actor, (unit) =>
      other.api.createExperiment(unit, { ...inProject, name: 'e' }),
    );
    for (let n = 0; n < 1100; n += 100)
      await database.write(actor, async (unit) => {
        for (let at = 0; at < 100; at += 1) {
          const { info } = await other.api.createRun(unit, { ...inProject, experimentId, startMs: (n + at) % 7 });
          await other.api.log(unit, { ...inProject, runId: info.runId, params: [{ key: 'p', value: String(at) }] });
          await other.api.updateRun(unit, { ...inProject, runId: info.runId, status: 'FINISHED' });
        }
      });
    await other.listRuns();
    const listed = async (experiment: string) =>
      (await other.api.countRuns(database.read, { ...inProject, experimentIds: [experiment], lifecycle: 'active' })) +
      Number(
        (
          await database.read
            .query<TrackingTables>()
            .selectFrom('tracking_run_documents')
            .innerJoin('tracking_runs', 'tracking_runs.run_id', 'tracking_run_documents.run_id')
            .select(({ fn }) => fn.countAll<number>().as('count'))
            .where('tracking_runs.project', '=', 'many')
            .executeTakeFirst()
        )?.count,
      );
    expect(await listed(experimentId)).toBe(2200);
    changes = [];
    failsAt = 2;
    const cut = other.api.deleteExperimentInSteps(actor, { ...inProject, experimentId });
    await expect(cut).rejects.toThrow('cut short');
    const lifecycleOf = async () => (await other.api.experiment(database.read, 'many', experimentId))?.lifecycle;
    expect({ lifecycle: await lifecycleOf(), some: lastDeleted > 0 }).toEqual({ lifecycle: 'active', some: true });
    failsAt = Number.POSITIVE_INFINITY;
    await other.api.deleteExperimentInSteps(actor, { ...inProject, experimentId });
    expect({ lifecycle: await lifecycleOf(), deleted: lastDeleted }).toEqual({ lifecycle: 'deleted', deleted: 1100 });
    expect(Math.max(...changes)).toBeLessThan(1000);
    expect(await listed(experimentId)).toBe(0);
    changes = [];
    await other.api.restoreExperimentInSteps(actor, { ...inProject, experimentId });
    expect({ lifecycle: await lifecycleOf(), deleted: lastDeleted }).toEqual({ lifecycle: 'active', deleted: 0 });
    expect(Math.max(...changes)).toBeLessThan(1000);
    await other.listRuns();
    expect(await listed(experimentId)).toBe(2200);
  }, 60_000);
});
