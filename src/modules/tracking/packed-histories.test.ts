import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import type { TrackingModule } from './index.ts';
import { createTrackingAlone } from './testing/tracking-alone.ts';
import type { TrackingTables } from './tracking-tables.ts';
import type { Metric } from './tracking-types.ts';

const actor = { actor: 'user:test' };
const project = 'p';
const key = 'Verlust: Prüfung/ä.1';

const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, -1e300, 1 / 3];
const pointAt = (n: number): Metric => ({
  key,
  value: odd[n % 50] ?? Math.sin(n) * 10 ** ((n % 40) - 20),
  step: n,
  timestampMs: 1000 + (n % 700),
});

describeDatabases('histories of listed runs', (open) => {
  let database: TestDatabase;
  let tracking: TrackingModule;
  beforeAll(async () => {
    database = await open();
    tracking = createTrackingAlone(database);
  }, 120_000);
  afterAll(() => database.close());

  const log = (runId: string, metrics: readonly Metric[]) =>
    database.write(actor, (unit) => tracking.api.log(unit, { project, runId, metrics }));
  async function newRun(metrics: readonly Metric[]): Promise<string> {
    const { info } = await database.write(actor, (unit) => tracking.api.createRun(unit, { project }));
    for (let at = 0; at < metrics.length; at += 1000) await log(info.runId, metrics.slice(at, at + 1000));
    await database.write(actor, (unit) =>
      tracking.api.updateRun(unit, { project, runId: info.runId, status: 'FINISHED' }),
    );
    return info.runId;
  }
  async function printed(runId: string, limit?: number): Promise<string> {
    let text = '';
    let after = undefined as Awaited<ReturnType<TrackingModule['api']['metricHistoryText']>>['next'];
    do {
      const more = { run_id: runId, note: '$& ; "quoted"' };
      const page = await tracking.api.metricHistoryText(database.read, { project, runId, key, limit, after, more });
      text += `${text === '' ? '' : ','}${Buffer.concat(page.pieces).toString()}`;
      after = page.next;
    } while (after !== undefined);
    return text;
  }
  const packed = async (runId: string) =>
    await database.read
      .query<TrackingTables>()
      .selectFrom('tracking_packed_histories')
      .select(['tracking_packed_histories.metric_key', 'tracking_packed_histories.point_count'])
      .where('tracking_packed_histories.run_id', '=', runId)
      .execute();

  test('say what their points say, whole and in pages, until the run is written to', async () => {
    const runId = await newRun(Array.from({ length: 1500 }, (_, n) => pointAt(n)));
    const before = await printed(runId);
    expect(JSON.parse(`[${before}]`)).toHaveLength(1500);
    expect(await packed(runId)).toEqual([]);
    await tracking.listRuns();
    expect(await packed(runId)).toEqual([{ metric_key: key, point_count: 1500 }]);
    for (const limit of [undefined, 1500, 1501, 400]) expect(await printed(runId, limit)).toBe(before);

    await log(runId, [{ ...pointAt(1), step: 99_999 }]);
    expect(await packed(runId)).toEqual([]);
    const after = JSON.parse(`[${await printed(runId)}]`) as { step: number }[];
    expect(after).toHaveLength(1501);
    expect(after.filter(({ step }) => step === 99_999)).toHaveLength(1);
  });

  test('are not packed where they are short, or some of a run wait', async () => {
    const short = await newRun(Array.from({ length: 499 }, (_, n) => pointAt(n)));
    const wide = Array.from({ length: 20 }, (_, n) => ({ ...pointAt(9), key: `m${n}` }));
    const waiting = await newRun(Array.from({ length: 600 }, (_, n) => pointAt(n)));
    await log(waiting, wide);
    database.clock.advance(3_600_000);
    await tracking.listRuns();
    expect([await packed(short), await packed(waiting)]).toEqual([[], []]);
    expect(JSON.parse(`[${await printed(waiting)}]`)).toHaveLength(600);
  });

  test('of runs that were listed before are packed by the next who lists', async () => {
    const points = Array.from({ length: 1500 }, (_, n) => pointAt(n));
    const runIds = [
      await newRun(points),
      await newRun(points),
      await newRun(points.slice(0, 20)),
      await newRun(points),
    ];
    await tracking.listRuns();
    const [first = '', written = '', short = '', again = ''] = runIds;
    const before = await printed(first);
    await database.write(actor, async (unit) => {
      const query = unit.query<TrackingTables>();
      // as it was after the migration
      await query.deleteFrom('tracking_packed_histories').where('run_id', 'in', [first, written]).execute();
      await query
        .insertInto('tracking_unpacked_runs')
        .values(runIds.map((run_id) => ({ run_id })))
        .execute();
    });
    await log(written, [{ ...pointAt(1), step: 99_999 }]);
    await createTrackingAlone(database).listRuns();
    expect(await packed(first)).toEqual([{ metric_key: key, point_count: 1500 }]);
    expect(await packed(written)).toEqual([{ metric_key: key, point_count: 1501 }]); // it was listed anew
    expect([await packed(short), await packed(again)]).toMatchObject([[], [{ point_count: 1500 }]]);
    expect(await printed(first)).toBe(before);
    const left = await database.read
      .query<TrackingTables>()
      .selectFrom('tracking_unpacked_runs')
      .select('run_id')
      .execute();
    expect(left).toEqual([]);
  });

  test('leave with a run that is deleted, and with its experiment', async () => {
    const points = Array.from({ length: 500 }, (_, n) => pointAt(n));
    const runIds = [await newRun(points), await newRun(points)];
    await tracking.listRuns();
    for (const runId of runIds) expect(await packed(runId)).toHaveLength(1);
    const [first = '', second = ''] = runIds;
    await database.write(actor, (unit) => tracking.api.deleteRun(unit, { project, runId: first }));
    expect(await packed(first)).toEqual([]);
    await database.write(actor, (unit) => tracking.api.deleteExperiment(unit, { project, experimentId: '0' }));
    expect(await packed(second)).toEqual([]);
  });
});
