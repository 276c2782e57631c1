import { beforeAll, expect, test } from 'vitest';
import { encodeFrames } from '#contracts/spool-frame';
import { builtModule } from '#platform/testing/built-program';
import { describeDatabases } from '#platform/testing/database';
import { createCompaction } from './compaction-service.ts';
import type { PushedValue } from './predictions-api.ts';
import type { PredictionsDeps } from './predictions-deps.ts';
import { listSegments } from './segment-store.ts';
import { aRecord, day, endpoint, idOf, type LogBench, openBench, project, start } from './testing/log-bench.ts';
import { createTruthService, type TruthService } from './truth-service.ts';

const hour = 3_600_000;
beforeAll(() => builtModule('worker/tasks.js').then(() => undefined), 120_000);
const context = { actor: 'user:test' };

const byId = (id: number, value: number | null, observedMs: number): PushedValue => ({
  lookup: { predictionId: idOf(id), row: undefined },
  value,
  observedMs,
});
const push = (bench: LogBench, ...truths: readonly PushedValue[]) =>
  bench.module.api.pushTruth(context, { project, endpoint, truths });
const primary = async (bench: LogBench, fromMs = start, toMs = start + day) =>
  (await bench.module.api.counts(bench.database.read, { project, endpoint, fromMs, toMs, role: 'primary' }))[0];

/** A truth service of its own, during whose first reading of the log something else happens. */
function interrupted(bench: LogBench, meanwhile: () => Promise<unknown>): TruthService {
  let once: (() => Promise<unknown>) | undefined = meanwhile;
  const jobs: PredictionsDeps['jobs'] = {
    async runTask(task, input) {
      const output = await bench.deps.jobs.runTask(task, input);
      const work = task === 'log-truth' ? once : undefined;
      if (work !== undefined) once = undefined;
      await work?.();
      return output;
    },
  };
  return createTruthService({ ...bench.deps, jobs });
}

/** A row of the dataset `flights`; its key in predictions is `["<flight>","<time_hour>"]`. */
const flight = (name: string, atMs: number, delay: number | null): string =>
  `select '${name}' as flight, make_timestamptz(${atMs * 1000}) as time_hour, ${delay ?? 'null'}::double as arr_delay`;
const keyOf = (name: string, atMs: number): string =>
  `["${name}","${new Date(atMs).toISOString().replace('.000Z', 'Z')}"]`;

describeDatabases('truth', (open) => {
  test('counts a pushed truth for the row and its shadow, once', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([
      { id: 1, atMs: start, score: 0.875 },
      { id: 2, atMs: start, score: 0.25, shadowOf: 1 },
    ]);
    expect(await push(bench, byId(1, 1, 100))).toEqual({ matched: 1, changed: 0, unchanged: 0, waiting: 0 });
    expect(await push(bench, byId(1, 1, 100))).toEqual({ matched: 0, changed: 0, unchanged: 1, waiting: 0 });
    const counts = await bench.module.api.counts(bench.database.read, {
      project,
      endpoint,
      fromMs: start,
      toMs: start + day,
    });
    expect(counts.map(({ role, labelled }) => `${role} ${labelled}`).toSorted()).toEqual(['primary 1', 'shadow 1']);
    expect(counts.find(({ role }) => role === 'primary')?.labels.positives[875]).toBe(1);
    expect(counts.find(({ role }) => role === 'shadow')?.labels.positives[250]).toBe(1);
  });

  test('lets the latest observation win, whatever the order of arrival', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start, score: 0.875 }]);
    await push(bench, byId(1, 1, 100));
    expect(await push(bench, byId(1, 0, 200))).toMatchObject({ changed: 1 });
    expect((await primary(bench))?.labels.negatives[875]).toBe(1);
    expect((await primary(bench))?.labels.positives[875]).toBe(0);
    expect(await push(bench, byId(1, 1, 150))).toMatchObject({ matched: 0, changed: 0 });
    expect((await primary(bench))?.labels.negatives[875]).toBe(1);
  });

  test('refuses what is observed in the future, which would keep corrections out, but not of a replay', async () => {
    const bench = await openBench(await open());
    const nowMs = bench.database.clock.nowMs();
    await bench.register('r1', 1, 'live');
    await bench.deliver([{ id: 1, atMs: nowMs, score: 0.875 }]);
    const future = byId(1, 1, nowMs + 5 * 60_000 + 1);
    await expect(push(bench, byId(2, 1, nowMs), future)).rejects.toMatchObject({
      code: 'TRUTH_INVALID',
      message: expect.stringMatching(/^truths\[1\]: observedAt 2\S+ lies more than 5 minutes ahead/),
    });
    expect(await primary(bench, nowMs - day, nowMs + day)).toMatchObject({ labelled: 0 });
    expect(await push(bench, byId(1, 1, nowMs + 5 * 60_000))).toMatchObject({ matched: 1 });
    bench.database.clock.advance(5 * 60_000 + 1);
    expect(await push(bench, byId(1, 0, bench.database.clock.nowMs()))).toMatchObject({ changed: 1 });
    const replay = await openBench(await open());
    await replay.register('r1', 1);
    expect(await push(replay, byId(1, 1, nowMs + 30 * day))).toMatchObject({ waiting: 1 });
  });

  test('counts a null truth apart: it will never be known', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start }]);
    await push(bench, byId(1, null, 100));
    expect(await primary(bench)).toMatchObject({ rows: 1, labelled: 0, neverKnown: 1 });
  });

  test('keeps a truth for an unknown prediction until the prediction comes', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const key = { lookup: { key: 'k7', eventMs: start + hour }, value: 0, observedMs: 100 } as const;
    expect(await push(bench, byId(5, 1, 100), key)).toEqual({ matched: 0, changed: 0, unchanged: 0, waiting: 2 });
    await bench.deliver([
      { id: 5, atMs: start },
      { id: 7, atMs: start + hour },
    ]);
    await bench.consumers.idle();
    expect(await primary(bench)).toMatchObject({ rows: 2, labelled: 2 });
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({
      truthWaiting: 0,
      truthPending: false,
    });
  });

  test('counts a truth that waited for thirty days as unmatched', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await push(bench, byId(5, 1, 100));
    bench.database.clock.advance(30 * day + 1);
    await push(bench, byId(6, 1, 100));
    await bench.module.upkeep.expireTruth();
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({
      truthWaiting: 1,
      truthUnmatched: 1,
    });
  });

  test('counts it so though no other truth ever comes', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await push(bench, byId(5, 1, 100));
    bench.database.clock.advance(30 * day - 1);
    await bench.module.upkeep.expireTruth();
    const progress = () => bench.module.api.progress(bench.database.read, project, endpoint);
    expect(await progress()).toMatchObject({ truthWaiting: 1, truthUnmatched: 0 });
    bench.database.clock.advance(1);
    await bench.module.upkeep.expireTruth();
    expect(await progress()).toMatchObject({ truthWaiting: 0, truthUnmatched: 1 });
  });

  test('finds a row that came, and was compacted, while its pushed truth was looked for', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([
      { id: 1, atMs: start },
      { id: 9, atMs: start },
    ]);
    const service = interrupted(bench, async () => {
      await bench.deliver([{ id: 5, atMs: start }]);
      await createCompaction(bench.deps).compactDays(context, project, endpoint, start + 2 * day);
    });
    expect(await service.pushTruth(context, { project, endpoint, truths: [byId(5, 1, 100)] })).toMatchObject({
      waiting: 1,
    });
    await bench.consumers.idle();
    expect(await primary(bench)).toMatchObject({ rows: 3, labelled: 1 });
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({ truthWaiting: 0 });
  });

  test("counts a shadow's answer that comes after the truth of the primary's", async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start, score: 0.875 }]);
    await push(bench, byId(1, 1, 100));
    await bench.deliver([{ id: 2, atMs: start, score: 0.25, shadowOf: 1 }]);
    await bench.consumers.idle();
    const range = { project, endpoint, fromMs: start, toMs: start + day };
    const [shadow] = await bench.module.api.counts(bench.database.read, { ...range, role: 'shadow' });
    expect(shadow).toMatchObject({ rows: 1, labelled: 1 });
    expect(shadow?.labels.positives[250]).toBe(1);
  });

  test('begins again when what is bound changes while it is read', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start + hour, key: keyOf('UA1', start + hour), score: 0.875 }]);
    await bench.bind();
    await bench.consumers.stop();
    await bench.land(flight('UA1', start + hour, 10));
    const service = interrupted(bench, () =>
      bench.database.write(context, (unit) =>
        bench.module.api.bindTruth(unit, {
          project,
          name: endpoint,
          endpoint,
          dataset: 'flights',
          key: ['flight', 'time_hour'],
          time: 'time_hour',
          value: 'arr_delay > 5',
        }),
      ),
    );
    await service.matchPending(context, project, endpoint);
    await service.matchPending(context, project, endpoint);
    expect((await primary(bench))?.labels.positives[875]).toBe(1);
  });

  test('refuses truth of an endpoint that nobody knows', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const told = bench.module.api.pushTruth(context, { project, endpoint: 'late-arival', truths: [byId(1, 1, 1)] });
    await expect(told).rejects.toMatchObject({
      code: 'ENDPOINT_UNKNOWN',
      message: expect.stringContaining('"late-arrival"'),
    });
  });

  test('reads truth from new parts of a bound dataset and ignores rows without a prediction', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.bind();
    await bench.deliver([
      { id: 1, atMs: start + hour, key: keyOf('UA1', start + hour), score: 0.875 },
      { id: 2, atMs: start + hour, key: keyOf('UA2', start + hour), score: 0.125 },
      { id: 3, atMs: start + 2 * hour, key: keyOf('UA3', start + 2 * hour), score: 0.4 },
    ]);
    await bench.land(
      [
        flight('UA1', start + hour, 40),
        flight('UA2', start + hour, 3),
        flight('UA3', start + 2 * hour, null),
        flight('UA4', start + hour, 9),
      ].join(' union all '),
    );
    expect(await primary(bench)).toMatchObject({ rows: 3, labelled: 2, neverKnown: 1 });
    expect((await primary(bench))?.labels.positives[875]).toBe(1);
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({
      truthPending: false,
      truthWaiting: 0,
    });
    // a later part says otherwise
    bench.database.clock.advance(1000);
    await bench.land(flight('UA1', start + hour, 2));
    expect((await primary(bench))?.labels.negatives[875]).toBe(1);
    expect(await primary(bench)).toMatchObject({ labelled: 2 });
  });

  test('matches rows that came after their truth had been read', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.bind();
    await bench.land(flight('UA1', start + hour, 40));
    await bench.deliver([{ id: 1, atMs: start + hour, key: keyOf('UA1', start + hour) }]);
    await bench.consumers.idle();
    expect(await primary(bench)).toMatchObject({ rows: 1, labelled: 1 });
  });

  test('reads a bound dataset again after a crash in the middle', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.bind();
    await bench.deliver([{ id: 1, atMs: start + hour, key: keyOf('UA1', start + hour) }]);
    bench.failNext('log-truth');
    await bench.land(flight('UA1', start + hour, 40));
    expect(await primary(bench)).toMatchObject({ labelled: 1 });
  });

  test('says which row of which prediction has which truth', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start, score: 0.25, distance: 250, origin: 'JFK' }]);
    await push(bench, byId(1, 1, 5000));
    const url = `/api/v1/predictions/${idOf(1)}`;
    expect(url).toContain(idOf(1));
    const { createLookup } = await import('./lookup-service.ts');
    const found = await createLookup(bench.deps).find(bench.database.read, project, `${idOf(1)}.0`);
    expect(found).toMatchObject({
      id: idOf(1),
      deployment: endpoint,
      revision: 'r1',
      model: 'model:late-arrival@1',
      role: 'primary',
      rows: [
        {
          row: 0,
          key: 'k1',
          score: 0.25,
          inputs: { distance: 250, origin: 'JFK' },
          outputs: { label: 0, probabilities: [0.75, 0.25] },
          truth: { value: 1, observedAt: new Date(5000).toISOString(), source: 'push' },
        },
      ],
    });
    expect(await createLookup(bench.deps).find(bench.database.read, project, idOf(99))).toBeUndefined();
  });
});

describeDatabases('what is said of a request beside its rows', (open) => {
  test('its trace, where its time went and what was kept out of it, before and after its day is compacted', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const plain = aRecord({ id: 1, atMs: start });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const told = {
      ...aRecord({ id: 2, atMs: start }),
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      stagesUs: { input: 10, queue: 20, infer: 300, output: 4 },
      redacted: ['email', 'name'],
    };
    const odd = { ...aRecord({ id: 3, atMs: start }), traceparent: 'nothing', cached: true };
    for (const [at, record] of [plain, told, odd].entries()) await bench.send(at, encodeFrames([record], at));
    const { createLookup } = await import('./lookup-service.ts');
    const looked = async () => {
      const seen = [];
      for (const id of [1, 2, 3]) {
        const found = await createLookup(bench.deps).find(bench.database.read, project, idOf(id));
        const { traceId: trace, stagesUs, cached, redacted } = found ?? {};
        seen.push({ trace, stagesUs, cached, redacted });
      }
      return seen;
    };
    const nothing = { trace: undefined, stagesUs: undefined, cached: undefined, redacted: undefined };
    const wanted = [
      nothing,
      { ...nothing, trace: traceId, stagesUs: told.stagesUs, redacted: told.redacted },
      { ...nothing, cached: true },
    ];
    expect(await looked()).toEqual(wanted);
    await createCompaction(bench.deps).compactDays(context, project, endpoint, start + 2 * day);
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({ files: 1 });
    expect(await looked()).toEqual(wanted);
  });
});

describeDatabases('compaction', (open) => {
  test('makes one file of a day that is over, and leaves every count as it was', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const range = { project, endpoint, fromMs: start, toMs: start + day };
    for (let id = 0; id < 5; id += 1) await bench.deliver([{ id: 9 - id, atMs: start + id * hour, score: id / 10 }]);
    await push(bench, byId(7, 1, 100));
    await push(bench, byId(8, 0, 100));
    const before = await bench.module.api.counts(bench.database.read, range);
    expect((await bench.module.api.rows(bench.database.read, range)).rows).toHaveLength(5);
    await bench.deliver([{ id: 20, atMs: start + day + 2 * hour }]);
    await bench.report(start + day + 2 * hour);
    const { rows, truths } = await bench.module.api.rows(bench.database.read, range);
    expect(rows).toHaveLength(1);
    expect(truths).toHaveLength(1);
    expect(rows[0]).toMatchObject({ minId: idOf(5), maxId: idOf(9) });
    expect(await bench.module.api.counts(bench.database.read, range)).toEqual(before);
    // one of rows and one of truths, and the next day's
    expect(bench.held.size).toBe(3);
    await push(bench, byId(9, 1, 100));
    expect(await primary(bench)).toMatchObject({ labelled: 3 });
  });

  test('keeps the counts of a revision that was registered after its first records', async () => {
    const bench = await openBench(await open());
    const range = { project, endpoint, fromMs: start, toMs: start + day };
    await bench.deliver([{ id: 1, atMs: start }]);
    await bench.register('r1', 1);
    await bench.deliver([{ id: 2, atMs: start, distance: 50 }]);
    const before = await bench.module.api.counts(bench.database.read, range);
    expect(before[0]?.columns[0]?.counts[0]).toBe(1);
    await createCompaction(bench.deps).compactDays(context, project, endpoint, start + 2 * day);
    expect(await bench.module.api.counts(bench.database.read, range)).toEqual(before);
  });

  test('folds truth that was only said again, and still judges rightly what was observed in between', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const range = { project, endpoint, fromMs: start, toMs: start + day };
    await bench.deliver([
      { id: 1, atMs: start, score: 0.875 },
      { id: 2, atMs: start, score: 0.125 },
    ]);
    await push(bench, byId(2, 0, 50));
    for (let observed = 100; observed <= 1000; observed += 100)
      expect(await push(bench, byId(1, observed === 500 ? 0 : 1, observed), byId(2, 0, 60))).toMatchObject({
        matched: observed === 100 ? 1 : 0,
        changed: observed === 500 || observed === 600 ? 1 : 0,
      });
    const truthRows = async () =>
      (await listSegments(bench.database.read, range, 'truth')).reduce((sum, { rows }) => sum + rows, 0);
    expect(await truthRows()).toBe(12);
    await bench.deliver([{ id: 20, atMs: start + day + 2 * hour }]);
    await bench.report(start + day + 2 * hour);
    // of the first row 1 at 100, 0 at 500, 1 at 600 and 1000; of the second 0 at 50 and 60
    expect(await truthRows()).toBe(6);
    expect(await primary(bench)).toMatchObject({ labelled: 2 });
    await push(bench, byId(1, 0, 950));
    expect((await primary(bench))?.labels.positives[875]).toBe(1);
    expect(await push(bench, byId(1, 0, 1001))).toMatchObject({ changed: 1 });
    expect((await primary(bench))?.labels.negatives[875]).toBe(1);
  });

  test('leaves the old files when the process dies before the swap, and compacts afterwards', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const range = { project, endpoint, fromMs: start, toMs: start + day };
    await bench.deliver([{ id: 1, atMs: start }]);
    await bench.deliver([{ id: 2, atMs: start + day + 2 * hour }]);
    const held = new Map(bench.held);
    const compaction = createCompaction(bench.deps);
    for (const what of ['log-compact', 'write'] as const) {
      bench.failNext(what);
      await expect(compaction.compactDays(context, project, endpoint, start + 2 * day)).rejects.toThrow(
        'the process died',
      );
      expect(bench.held).toEqual(held);
      expect(await primary(bench)).toMatchObject({ rows: 1 });
    }
    expect(await compaction.compactDays(context, project, endpoint, start + day + 2 * hour)).toBe(1);
    expect((await bench.module.api.rows(bench.database.read, range)).rows).toHaveLength(1);
    expect(await primary(bench)).toMatchObject({ rows: 1 });
  });
});
