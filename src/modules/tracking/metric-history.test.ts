import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { pickEvenly } from './history-sample.ts';
import { type TrackingApi, toWireMetric } from './index.ts';
import { createTrackingAlone } from './testing/tracking-alone.ts';

const project = 'p';
const key = 'a "quoted" key'.replaceAll('"', '_');

const parsed = (pieces: readonly Uint8Array[]) => JSON.parse(`[${Buffer.concat(pieces).toString()}]`) as unknown[];

describeDatabases('histories of metrics', (open) => {
  let database: TestDatabase;
  let api: TrackingApi;
  beforeAll(async () => {
    database = await open();
    api = createTrackingAlone(database).api;
  });
  afterAll(() => database.close());

  const newRun = async () =>
    (await database.write({ actor: 'user:test' }, (unit) => api.createRun(unit, { project }))).info.runId;

  test('are printed with the very numbers that were logged, page by page', async () => {
    const anyValue = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0.1, 1 / 3, 5e-324, Number.MAX_VALUE));
    await fc.assert(
      fc.asyncProperty(fc.array(anyValue, { minLength: 1, maxLength: 40 }), async (values) => {
        const runId = await newRun();
        const metrics = values.map((value, step) => ({ key, value, step, timestampMs: step }));
        await database.write({ actor: 'user:test' }, (unit) => api.log(unit, { project, runId, metrics }));
        const whole = await api.metricHistoryText(database.read, { project, runId, key });
        const wanted = values.map((value, step) =>
          toWireMetric({ key, value: value === 0 ? 0 : value, step, timestampMs: step }),
        );
        expect(parsed(whole.pieces)).toEqual(wanted);
        const paged: unknown[] = [];
        let after = undefined as Awaited<ReturnType<TrackingApi['metricHistoryText']>>['next'];
        do {
          const page = await api.metricHistoryText(database.read, { project, runId, key, limit: 7, after });
          paged.push(...parsed(page.pieces));
          after = page.next;
        } while (after !== undefined);
        expect(paged).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  /** Points by SQL: to log them would take longer than all the rest. */
  const fill = (runId: string, points: number, step: string) =>
    database.write({ actor: 'user:test' }, async (unit) => {
      await sql`insert into tracking_metrics (run_id, metric_key, timestamp_ms, step, value, special)
        with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${sql.lit(points)})
        select ${sql.lit(runId)}, ${sql.lit(key)}, 1000 + 10 * i, ${sql.raw(step)}, i * 0.5, 0 from n`.execute(
        unit.query(),
      );
    });

  test.each([
    ['short', 4000, 'i'],
    ['long', 30_000, 'i'],
    ['long and of one step', 30_000, '0'],
    ['long and backwards', 30_000, '-i'],
  ])('that are %s are sampled: in order, the first and the last among them', async (_name, points, step) => {
    const runId = await newRun();
    await fill(runId, points, step);
    const found = await api.sampleMetric(database.read, { project, runId, key, count: 320 });
    expect(found.length).toBe(320);
    const ends = step === '-i' ? [points - 1, 0] : [0, points - 1];
    expect([found[0]?.value, found.at(-1)?.value]).toEqual(ends.map((i) => i * 0.5));
    for (const [index, point] of found.entries())
      expect(point.step).toBeGreaterThanOrEqual(found[index - 1]?.step ?? point.step);
    const gaps = found.slice(1).map((point, index) => Math.abs(point.value - (found[index]?.value ?? 0)));
    expect(Math.max(...gaps)).toBeLessThan((points / 320) * 0.5 * 3);
    if (step !== 'i') return;
    const steps = { first: 1234, last: 3500 };
    const part = await api.sampleMetric(database.read, { project, runId, key, count: 50, steps });
    expect([part.length, part[0]?.step, part.at(-1)?.step]).toEqual([50, 1234, 3500]);
    const one = await api.sampleMetric(database.read, { project, runId, key, count: 1, steps });
    expect(one.map((point) => point.step)).toEqual([3500]);
  });
});

const flat = (count: number) =>
  Array.from({ length: count }, (_, step) => ({ timestamp_ms: 0, step, value: 0, special: 0 }));

const picked = (count: number, of: number) => pickEvenly(flat(of), count).map(({ step }) => step);

test('of fewer points than are asked for all are picked, of more the first of each group and the last', () => {
  expect(picked(5, 3)).toEqual([0, 1, 2]);
  expect(picked(3, 10)).toEqual([0, 4, 9]);
  expect(picked(1, 10)).toEqual([9]);
  expect(picked(2, 10)).toEqual([0, 9]);
});
