import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAppError } from '#platform/errors';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { type Asked, print, printOrder } from '#platform/testing/reference-filter';
import { type Run, type TrackingApi, type TrackingModule, toRunDocument } from './index.ts';
import type { RunPosition } from './run-search-plan.ts';
import { compareRuns, matches } from './testing/reference-search.ts';
import { createTrackingAlone } from './testing/tracking-alone.ts';

const actor = { actor: 'user:test' };
const project = 'p';
const metricKeys = ['auc', 'loss', 'a b'];
const values = [0, 0.5, -1, 1e-3, 7, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300];
const texts = ['tree', 'Tree', 'tr%e', 'a_b', '', '[x]*?', 'é', `${'x'.repeat(120)}end`, `${'x'.repeat(120)}END`];
const statuses = ['RUNNING', 'FINISHED', 'FAILED'] as const;

const some = <T>(keys: readonly string[], value: fc.Arbitrary<T>) =>
  fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: keys.length });

const anyRun = fc.record({
  experiment: fc.constantFrom(0, 1),
  name: fc.constantFrom('one', 'two', 'Two', 'three'),
  startMs: fc.constantFrom(1, 2, 3),
  status: fc.constantFrom(...statuses),
  deleted: fc.boolean(),
  /** Listed before the rest of it is logged, or not at all. */
  listed: fc.constantFrom('not', 'then written to', 'at rest'),
  metrics: some(metricKeys, fc.constantFrom(...values)),
  params: some(['model', 'lr'], fc.constantFrom(...texts)),
  tags: some(['team', 'x/y'], fc.constantFrom(...texts)),
  dataset: fc.option(fc.record({ name: fc.constantFrom('d', 'D'), context: fc.constantFrom('train', 'eval') })),
});

const anyText = fc.oneof(fc.constantFrom(...texts, '%r%', 'T__e', '%'), fc.string({ maxLength: 5 }));
const plain = anyText.map((text) => text.replaceAll(/['\0]/g, ''));
const anyNumber = fc.oneof(
  fc.constantFrom(0, 0.5, -1, 7, 1e300, 1e-3),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
);
const anyComparison: fc.Arbitrary<Asked> = fc.oneof(
  fc.record({
    group: fc.constantFrom('metrics', 'metric'),
    key: fc.constantFrom(...metricKeys, 'none'),
    operator: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
    value: anyNumber,
  }),
  fc.record({
    group: fc.constantFrom('params', 'tags', 'parameter'),
    key: fc.constantFrom('model', 'lr', 'team', 'x/y', 'none'),
    operator: fc.constantFrom('=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL'),
    value: plain,
  }),
  fc.record({
    group: fc.constantFrom('attributes', undefined),
    key: fc.constantFrom('run_name', 'status', 'user_id'),
    operator: fc.constantFrom('=', '!=', 'LIKE', 'ILIKE'),
    value: fc.oneof(fc.constantFrom('one', 'two', 'FINISHED', 'T%', 'ann'), plain),
  }),
  fc.record({
    group: fc.constantFrom('attributes', 'run'),
    key: fc.constantFrom('start_time', 'end_time', 'created'),
    operator: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
    value: fc.constantFrom(1, 2, 2.5, 3, 1e30, -1),
  }),
  fc.record({
    group: fc.constant('datasets'),
    key: fc.constantFrom('name', 'digest', 'context'),
    operator: fc.constantFrom('=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'),
    value: fc.constantFrom('d', 'D', 'train', '%a%'),
  }),
);
const anyOrder = fc.record({
  group: fc.constantFrom('metrics', 'params', 'tags', 'attributes'),
  key: fc.constantFrom('auc', 'loss', 'a b', 'model', 'team', 'start_time', 'end_time', 'run_name', 'status', 'run_id'),
  descending: fc.boolean(),
});
const attributeKeys = ['start_time', 'end_time', 'run_name', 'status', 'run_id'];
const anyOrders = fc
  .uniqueArray(anyOrder, { selector: ({ group, key }) => `${group} ${key}`, maxLength: 3 })
  .map((orders) => orders.filter(({ group, key }) => group !== 'attributes' || attributeKeys.includes(key)));

const pairs = (of: Record<string, string>) => Object.entries(of).map(([key, value]) => ({ key, value }));
const manyComparisons = (count: number) => Array.from({ length: count }, (_, n) => `metrics.m${n} > 0`).join(' AND ');
const manyOrders = (count: number) => Array.from({ length: count }, (_, n) => `metrics.m${n}`);

describeDatabases('searching runs', (open) => {
  let database: TestDatabase;
  let tracking: TrackingModule;
  let api: TrackingApi;
  const runs: Run[] = [];

  beforeAll(async () => {
    database = await open();
    tracking = createTrackingAlone(database);
    api = tracking.api;
    await makeRuns();
  }, 120_000);
  afterAll(() => database.close());

  /** Runs in every state of their listing, with whatever may be logged. */
  async function makeRuns() {
    const other = await database.write(actor, (unit) => api.createExperiment(unit, { project, name: 'other' }));
    const ids: string[] = [];
    for (const run of fc.sample(anyRun, { numRuns: 60, seed: 7 })) {
      const { runId } = await database.write(actor, async (unit) => {
        const experimentId = run.experiment === 0 ? '0' : other;
        const { info } = await api.createRun(unit, {
          project,
          experimentId,
          name: run.name,
          startMs: run.startMs,
          userId: 'ann',
        });
        const metrics = Object.entries(run.metrics).map(([key, value]) => ({ key, value, step: 1, timestampMs: 1 }));
        await api.log(unit, { project, runId: info.runId, metrics, params: pairs(run.params), tags: pairs(run.tags) });
        if (run.dataset !== null) {
          const { name, context } = run.dataset;
          const tags = [{ key: 'mlflow.data.context', value: context }];
          const datasets = [{ name, digest: name, sourceType: 's', source: '', tags }];
          await api.logInputs(unit, { project, runId: info.runId, datasets });
        }
        return info;
      });
      ids.push(runId);
      const end = (status: (typeof statuses)[number]) =>
        database.write(actor, (unit) =>
          api.updateRun(unit, { project, runId, status, ...(status !== 'RUNNING' && { endMs: 3 }) }),
        );
      await end(run.listed === 'not' ? 'RUNNING' : 'FINISHED');
      await tracking.listRuns();
      await end(run.status);
      if (run.listed === 'then written to')
        await database.write(actor, (unit) =>
          api.log(unit, {
            project,
            runId,
            metrics: [{ key: 'auc', value: 0.25, step: 2, timestampMs: 2 }],
            tags: [{ key: 'team', value: 'new' }],
          }),
        );
      if (run.deleted) await database.write(actor, (unit) => api.deleteRun(unit, { project, runId }));
    }
    for (const id of ids) {
      const run = await api.run(database.read, project, id);
      if (run !== undefined) runs.push(run);
    }
  }

  const search = (filter: string, orderBy: string[] = []) =>
    api.searchRuns(database.read, { project, experimentIds: ['0'], filter, orderBy, limit: 5 });

  test('finds what an evaluation in memory finds, in its order, page by page', async () => {
    expect(runs.length).toBe(60);
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyComparison, { maxLength: 3 }),
        anyOrders,
        fc.constantFrom('active' as const, 'deleted' as const, undefined),
        fc.constantFrom(['0'], ['0', '1'], undefined),
        fc.integer({ min: 1, max: 70 }),
        async (comparisons, orders, lifecycle, experimentIds, limit) => {
          const filter = comparisons.map(print).join(' and ');
          const wanted = runs
            .filter(({ info }) => lifecycle === undefined || info.lifecycle === lifecycle)
            .filter(({ info }) => experimentIds === undefined || experimentIds.some((id) => id === info.experimentId))
            .filter((run) => comparisons.every((comparison) => matches(run, comparison)))
            .toSorted(compareRuns(orders))
            .map(({ info }) => info.runId);
          const query = { project, experimentIds, lifecycle, filter };
          const found: string[] = [];
          let after: RunPosition | undefined;
          do {
            const page = await api.searchRuns(database.read, {
              ...query,
              orderBy: orders.map(printOrder),
              limit,
              after,
            });
            expect(page.items.length).toBeLessThanOrEqual(limit);
            found.push(...page.items.map(({ info }) => info.runId));
            after = page.next;
          } while (after !== undefined);
          expect(found).toEqual(wanted);
          expect(await api.countRuns(database.read, query)).toBe(wanted.length);
        },
      ),
      { numRuns: 300 },
    );
  }, 300_000);

  test('answers the documents that the runs themselves make', async () => {
    const { items } = await api.searchRunDocuments(database.read, { project, experimentIds: undefined, limit: 100 });
    for (const { info, document } of items) {
      const run = await api.run(database.read, project, info.runId);
      expect(JSON.parse(document)).toEqual(run && toRunDocument(run));
    }
  });

  test('brings only the fields that are asked for', async () => {
    const fields = { metrics: ['auc'], params: [], tags: 'all', inputs: false } as const;
    const { items } = await api.searchRuns(database.read, { project, experimentIds: undefined, limit: 100, fields });
    const whole = new Map(runs.map((run) => [run.info.runId, run]));
    expect(items.length).toBeGreaterThan(10);
    for (const run of items) {
      expect(run.metrics).toEqual(whole.get(run.info.runId)?.metrics.filter(({ key }) => key === 'auc'));
      expect([run.params, run.tags, run.datasets]).toEqual([[], whole.get(run.info.runId)?.tags, []]);
    }
  });

  test('whatever text it is given, it answers or refuses with a code', async () => {
    const word = fc.constantFrom(
      'metrics.auc',
      'params.`a`',
      'tags."x"',
      'status',
      'start_time',
      'dataset.name',
      'attr.run_id',
      'AND',
      'IN',

      "'x'",
      "'; drop table tracking_runs; --",
      '1',
      '-1e400',
      '(',
      ')',
      ',',
      '=',
      '!=',
      '<',
      'LIKE',
      'ILIKE',
      'IS',
      'NULL',

      'NOT',
      '\0',
      "'\0'",
      '\ud800',
      "'%_[*'",
      'constructor',
      'metrics.__proto__',
      'DESC',
      'ASC',
      '--',
      '/*',
      '""',
      '``',
    );
    const anyWords = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 9 }).map((words) => words.join(' ')),
    );
    await fc.assert(
      fc.asyncProperty(anyWords, fc.array(anyWords, { maxLength: 2 }), async (filter, orderBy) => {
        const query = { project, experimentIds: ['0', "1' or '1'='1"], filter, orderBy, limit: 5 };
        for (const what of ['searchRuns', 'searchExperiments'] as const)
          try {
            await api[what](database.read, { ...query, lifecycle: 'active' });
          } catch (error) {
            if (!isAppError(error) || error.kind !== 'invalid') throw error;
          }
      }),
      { numRuns: 500 },
    );
    expect((await api.searchRuns(database.read, { project, experimentIds: ['0', '1'], limit: 100 })).items.length).toBe(
      60,
    );
  }, 300_000);

  test('a filter as long as nobody writes it is refused, not failed on', async () => {
    await expect(search(manyComparisons(201))).rejects.toMatchObject({ kind: 'invalid' });
    expect((await search(manyComparisons(200))).items).toEqual([]);
    await expect(search(`params.a LIKE '${'%'.repeat(60_000)}'`)).rejects.toMatchObject({ kind: 'invalid' });
    expect((await search(`params.a = '${'x'.repeat(60_000)}'`)).items).toEqual([]);
    expect((await search('', manyOrders(20))).items.length).toBe(5);
    await expect(search('', manyOrders(21))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(search('', ['metrics.a', 'metrics.a DESC'])).rejects.toMatchObject({ kind: 'invalid' });
  });
});
