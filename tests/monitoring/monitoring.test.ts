import { beforeAll, expect, test } from 'vitest';
import { labelDrifted } from '#contracts/monitoring';
import { builtModule } from '#platform/testing/built-program';
import { describeDatabases } from '#platform/testing/database';
import { day, endpoint, idOf, openWatched, project, start, type Watched } from './watched-endpoint.ts';

const hour = 3_600_000;
beforeAll(() => builtModule('worker/tasks.js').then(() => undefined), 120_000);
const spec = {
  truth: { dataset: 'flights', key: ['flight', 'time_hour'], time: 'time_hour', value: 'arr_delay > 15', delay: '1d' },
  drift: { min_rows: 20, window: '2d' },
  performance: { auc: '>= 0.70', window: '2d', min_labelled: 30, confidence: 0.9 },
} as const;

const windowsOf = (bench: Watched) => bench.monitoring.api.windows(bench.database.read, project, endpoint, 50);
const openAlerts = async (bench: Watched) =>
  (await bench.alerts.api.list(bench.database.read, { project, state: 'open', limit: 10 })).map(
    ({ kind, severity }) => `${kind} ${severity}`,
  );

const until = (days: number): string => new Date(start + days * day).toISOString().slice(0, 10);

describeDatabases('monitoring', (open) => {
  test('closes a window a day, once truth had its time, and alerts when the champion has decayed', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 6; at += 1) await bench.playDay(at, { good: at < 2 });
    const windows = await windowsOf(bench);
    // day 5 has been played: truth of day 3 is due at the start of day 5, of day 4 not yet
    expect(windows.map(({ endMs }) => (endMs - start) / day)).toEqual([4, 3, 2, 1]);
    expect(windows.map(({ state }) => state)).toEqual(['alert', 'alert', 'ok', 'ok']);
    const [newest] = windows;
    expect(newest?.champion).toEqual({ model: 'late-arrival', version: 1 });
    expect(newest?.labelled).toBe(80);
    expect(newest?.verdicts[0]).toMatchObject({ metric: 'auc', state: 'alert', evidence: 'interval' });
    const part = newest?.parts.find(({ role }) => role === 'primary');
    expect(part?.metrics['auc']?.upper).toBeLessThan(0.7);
    expect(await openAlerts(bench)).toContain('performance critical');
  });

  test('warns of drift, and names the columns', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 4; at += 1) await bench.playDay(at, { good: true, distance: 350 });
    const [newest] = await windowsOf(bench);
    expect(newest?.drifted).toContain('distance');
    expect(newest?.drifted).not.toContain('origin');
    expect(newest?.parts[0]?.drift[0]).toMatchObject({
      column: 'distance',
      method: 'kolmogorov-smirnov',
      state: 'drifted',
    });
    expect(await openAlerts(bench)).toEqual(['drift warning']);
  });

  test('has one incident of drift for each champion, which says since when and what it means', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    const drifts = async () =>
      (await bench.alerts.api.list(bench.database.read, { project, kind: 'drift', limit: 10 })).map(
        ({ state, count, version, title, resolvedReason }) => ({ state, count, version, title, resolvedReason }),
      );
    for (let at = 0; at < 4; at += 1) await bench.playDay(at, { good: true, distance: 350 });
    const first = {
      count: 2,
      version: 1,
      title: `late-arrival: distance, score differ from the training data of version 1 since ${until(1)}`,
    };
    expect(await drifts()).toEqual([{ ...first, state: 'open' }]);
    await bench.promote(2);
    const over = {
      ...first,
      state: 'resolved',
      resolvedReason: 'version 2 of late-arrival became champion: its inputs are compared with its own training data',
    };
    expect(await drifts()).toEqual([over]);
    for (let at = 4; at < 8; at += 1)
      await bench.playDay(at, { good: true, distance: 350, revision: 'r2', version: 2 });
    const [second, before] = await drifts();
    expect(before).toEqual(over);
    expect(second).toMatchObject({ state: 'open', version: 2, title: expect.stringContaining('of version 2 since') });

    // an alias that was moved by hand tells no promotion: the next window sees it
    bench.setChampion(1);
    for (let at = 8; at < 11; at += 1) await bench.playDay(at, { good: true, distance: 350 });
    expect((await drifts()).map(({ state, version }) => [state, version])).toEqual([
      ['open', 1],
      ['resolved', 2],
      ['resolved', 1],
    ]);
  });

  test('warns of a column that has gone missing, though it has no values to compare', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 4; at += 1) await bench.playDay(at, { good: true, distance: Number.NaN });
    const [newest] = await windowsOf(bench);
    expect(newest?.parts[0]?.drift[0]).toMatchObject({
      column: 'distance',
      method: 'missing',
      state: 'drifted',
      effect: 1,
      rows: 0,
      missingShare: 1,
      trainingMissingShare: 0,
    });
    if (newest === undefined) throw new Error('no window has closed');
    const { drifted, parts } = newest;
    expect(labelDrifted({ drifted: [...drifted], parts: [...parts] })).toEqual(['distance (missing)', 'score']);
    expect(await openAlerts(bench)).toEqual(['drift warning']);
  });

  test('judges a new champion by its own rows and resolves what was said of the one before', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 6; at += 1) await bench.playDay(at, { good: false });
    expect(await openAlerts(bench)).toContain('performance critical');
    await bench.promote(2);
    expect(await openAlerts(bench)).not.toContain('performance critical');
    await bench.playDay(6, { good: true, revision: 'r2', version: 2 });
    const [newest] = await windowsOf(bench);
    expect(newest?.champion?.version).toBe(2);
    expect(newest?.state).toBe('not-enough-data');
    expect(newest?.verdicts[0]?.reason).toBe(
      '0 of 30 labelled rows in the window of 2d until 2013-03-06; 0 predictions wait for truth; only version 2, the champion, counts: 80 rows are of other versions',
    );
    expect(await openAlerts(bench)).not.toContain('performance critical');
    for (let at = 7; at < 10; at += 1) await bench.playDay(at, { good: true, revision: 'r2', version: 2 });
    const [last] = await windowsOf(bench);
    expect(last).toMatchObject({ state: 'ok', champion: { version: 2 } });
    // the first model still answers beside it
    expect(last?.parts.map(({ version, role, champion }) => [version, role, champion])).toEqual([
      [1, 'shadow', false],
      [2, 'primary', true],
    ]);
  });

  test('waits for truth that is here to be matched before it closes a window', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 3; at += 1) await bench.playDay(at, { good: true });
    const monitor = await bench.monitoring.api.find(bench.database.read, project, endpoint);
    if (monitor === undefined) throw new Error('the monitor is gone');
    expect(await bench.monitoring.api.standing(bench.database.read, monitor)).toMatchObject({
      waitingFor: 'time',
      nextEndMs: start + 2 * day,
      closesAtMs: start + 3 * day + hour,
    });
    const events = await bench.eventTypes();
    expect(events.filter((type) => type === 'window.closed')).toHaveLength(1);
  });

  test('closes the last day of a live endpoint that has gone quiet, by the wall clock, and tells of its decay', async () => {
    const bench = await openWatched(await open(), 'live');
    const { clock } = bench.database;
    await bench.apply({ performance: { ...spec.performance, window: '1d' }, lateness: '1h', drift: 'off' });
    const today = clock.nowMs();
    const rows = Array.from({ length: 60 }, (_, at) => ({
      id: at,
      atMs: today + at * 60_000,
      score: 0.2 + (at % 2) / 2,
    }));
    await bench.deliver(rows);
    await bench.report(today + hour);
    await bench.module.api.pushTruth(
      { actor: 'user:test' },
      {
        project,
        endpoint,
        truths: rows.map(({ id }) => ({
          lookup: { predictionId: idOf(id), row: undefined },
          // every other answer is wrong
          value: Number(id % 4 < 2),
          observedMs: today,
        })),
      },
    );
    await bench.consumers.idle();
    clock.advance(day + hour);
    await bench.module.upkeep.settle();
    await bench.consumers.idle();
    expect(await windowsOf(bench)).toEqual([]);
    clock.advance(hour);
    await bench.module.upkeep.settle();
    await bench.consumers.idle();
    expect(await windowsOf(bench)).toMatchObject([{ endMs: today + day, labelled: 60, state: 'alert' }]);
    expect(await openAlerts(bench)).toEqual(['performance critical']);
  });

  test('closes no thousands of empty windows for one stray event time of long ago', async () => {
    const bench = await openWatched(await open());
    await bench.apply({ performance: spec.performance, drift: 'off' });
    const longAgo = start - 3650 * day;
    await bench.deliver([{ id: 9999, atMs: longAgo }]);
    for (let at = 0; at < 3; at += 1) await bench.playDay(at, { good: true });
    const ends = (await windowsOf(bench)).map(({ endMs }) => endMs);
    expect(ends).toEqual([start + 2 * day, start + day, longAgo + 3 * day, longAgo + 2 * day, longAgo + day]);
  });

  test('compares the live model with its shadow on the same rows, the same for the same seed', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 3; at += 1) await bench.playDay(at, { good: true });
    for (let at = 3; at < 6; at += 1)
      await bench.playDay(at, { good: true, revision: 'r2', version: 2, shadowIsBad: true });
    const url = `/api/v1/monitors/${endpoint}/comparison?seed=7&resamples=100`;
    const answer = await bench.request(url);
    expect(answer.statusCode).toBe(200);
    const compared = answer.json<{
      shadow: string;
      groups: { rows: number; liveModels: { model: string }[] }[];
      total: { auc: { difference: number; lower: number } };
    }>();
    expect(compared.shadow).toBe('model:late-arrival@1');
    expect(compared.groups).toHaveLength(1);
    expect(compared.groups[0]?.rows).toBe(80);
    expect(compared.total.auc.difference).toBeGreaterThan(0.1);
    expect(compared.total.auc.lower).toBeGreaterThan(0);
    expect((await bench.request(url)).json()).toEqual(compared);
  });

  test('answers monitors and windows, and nothing for a name that is not there', async () => {
    const bench = await openWatched(await open());
    await bench.apply(spec);
    for (let at = 0; at < 4; at += 1) await bench.playDay(at, { good: true });
    const monitor = await bench.request(`/api/v1/monitors/${endpoint}?wait=1`);
    expect(monitor.json()).toMatchObject({ name: endpoint, current: true, waitingFor: 'time', last: { state: 'ok' } });
    expect((await bench.request('/api/v1/monitors')).json()).toMatchObject({ items: [{ name: endpoint }] });
    const page = (await bench.request(`/api/v1/monitors/${endpoint}/windows?limit=1`)).json<{
      items: unknown[];
      next: string;
    }>();
    expect(page.items).toHaveLength(1);
    const rest = await bench.request(`/api/v1/monitors/${endpoint}/windows?cursor=${page.next}`);
    expect(rest.json<{ items: unknown[] }>().items).toHaveLength(1);
    expect((await bench.request('/api/v1/monitors/late')).statusCode).toBe(404);
  });
});
