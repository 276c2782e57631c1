import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import {
  type Asked,
  type AskedOrder,
  compareBy,
  compareNumbers,
  compareTexts,
  print,
  printOrder,
  type Value,
} from '#platform/testing/reference-filter';
import { useMlflow } from './testing/mlflow-test-client.ts';
import { traceId } from './testing/trace-test-client.ts';

const texts = ['tree', 'Tree', 'tr%e', 'a_b', '', '[x]*?', 'é', '`', '\\', `${'x'.repeat(120)}end`] as const;
const named = ['one', 'two', 'Two', 'three', 'É', 'a-b', 'a b'] as const;
const values = [0, 0.5, -1, 1e-3, 7, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300] as const;
const signs = ['=', '!=', '<', '<=', '>', '>='] as const;
const likes = ['=', '!=', 'LIKE', 'ILIKE'] as const;
const nulls = ['IS NULL', 'IS NOT NULL'] as const;
const lists = ['IN', 'NOT IN'] as const;

const anyText = fc
  .oneof(fc.constantFrom(...texts, ...named, '%r%', 'T__e', '%', 'run 1', 's3://b/2'), fc.string({ maxLength: 4 }))
  .map((text) => text.replaceAll(/['\0]/g, ''));
const some = <T>(keys: readonly string[], value: fc.Arbitrary<T>) =>
  fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: keys.length });
const pairs = (of: Readonly<Record<string, string>>) => Object.entries(of).map(([key, value]) => ({ key, value }));

type Item = Readonly<Record<string, unknown>>;

/** What is searched, as its search is asked and answered: every value that a filter or an order may name. */
interface Kind {
  readonly texts: readonly string[];
  readonly numbers: readonly string[];
  /** Groups of keys and texts, and whether they can be ordered by. */
  readonly groups: readonly string[];
  readonly ordered: readonly string[];
  readonly metrics?: true;
  /** Texts and groups compare with lists as well. */
  readonly lists: readonly string[];
  readonly defaults: readonly (AskedOrder & { readonly fixed?: true })[];
}

interface Thing {
  readonly id: string;
  /** By `group key`, and attributes by their key. */
  readonly values: ReadonlyMap<string, Value>;
}

const keys = ['model', 'team', 'none'] as const;
const groupName = (group: string | undefined, key: string) =>
  group === undefined || group.startsWith('attr') ? key : `${group.replace(/s$/, '')} ${key}`;
const valueOf = (thing: Thing, { group, key }: { readonly group: string | undefined; readonly key: string }) =>
  thing.values.get(groupName(group, key));

function anyComparison(kind: Kind): fc.Arbitrary<Asked> {
  const operatorsOf = (name: string, ...more: readonly string[]) =>
    fc.constantFrom(...likes, ...more, ...(kind.lists.includes(name) ? lists : []));
  const choices: fc.Arbitrary<Asked>[] = [
    ...kind.texts.map((key) =>
      fc.record({
        group: fc.constantFrom('attributes', undefined),
        key: fc.constant(key),
        operator: operatorsOf(key),
        value: anyText,
      }),
    ),
    ...kind.numbers.map((key) =>
      fc.record({
        group: fc.constantFrom('attributes', undefined),
        key: fc.constant(key),
        operator: fc.constantFrom(...signs),
        value: fc.constantFrom(0, 1, 2, 2.5, 1e30, -1, startMs, startMs + 1, startMs + 2),
      }),
    ),
    ...kind.groups.map((group) =>
      fc.record({
        group: fc.constant(group),
        key: fc.constantFrom(...keys),
        operator: operatorsOf(group, ...nulls),
        value: anyText,
      }),
    ),
  ];
  if (kind.metrics)
    choices.push(
      fc.record({
        group: fc.constantFrom('metrics', 'metric'),
        key: fc.constantFrom('auc', 'loss', 'none'),
        operator: fc.constantFrom(...signs),
        value: fc.constantFrom(0, 0.5, -1, 7, 1e300, 1e-3),
      }),
    );
  return fc.oneof(...choices);
}

function anyOrders(kind: Kind): fc.Arbitrary<readonly AskedOrder[]> {
  const names = [
    ...kind.ordered.map((key) => ['attributes', key] as const),
    ...(kind.metrics ? (['auc', 'loss'] as const).map((key) => ['metrics', key] as const) : []),
    ...kind.groups.filter(() => kind.metrics).flatMap((group) => keys.map((key) => [group, key] as const)),
  ];
  return fc
    .uniqueArray(fc.constantFrom(...names), { maxLength: 3 })
    .chain((chosen) =>
      fc
        .array(fc.boolean(), { minLength: chosen.length, maxLength: chosen.length })
        .map((down) => chosen.map(([group, key], at) => ({ group, key, descending: down[at] === true }))),
    );
}

function isAsked(thing: Thing, asked: Asked, { numbers }: Kind): boolean {
  const value = valueOf(thing, asked);
  return asked.group?.startsWith('metric') || numbers.includes(asked.key)
    ? compareNumbers(value as number | undefined, asked)
    : compareTexts(value as string | undefined, asked);
}

const startMs = Date.UTC(2026, 0, 1);
const of = (entries: Iterable<readonly [string, Value]>) => new Map(entries);
const keyed = (group: string, list: readonly { readonly key: string; readonly value: Value }[]) =>
  list.map(({ key, value }) => [`${group} ${key}`, value] as const);
const term = (key: string, descending: boolean): AskedOrder => ({ group: 'attributes', key, descending });

async function compareWithReference(
  things: readonly Thing[],
  kind: Kind,
  find: (filter: string, orders: readonly AskedOrder[], limit: number) => Promise<readonly string[]>,
): Promise<void> {
  const property = fc.asyncProperty(
    fc.array(anyComparison(kind), { maxLength: 3 }),
    anyOrders(kind),
    fc.integer({ min: 1, max: 40 }),
    async (comparisons, orders, limit) => {
      const rest = kind.defaults.filter(({ key }) => !orders.some((one) => one.key === key));
      const wanted = things
        .filter((thing) => comparisons.every((asked) => isAsked(thing, asked, kind)))
        .toSorted(compareBy<Thing, AskedOrder>([...orders, ...rest], valueOf))
        .map(({ id }) => id);
      expect(await find(comparisons.map(print).join(' and '), orders, limit)).toEqual(wanted);
    },
  );
  await fc.assert(property, { numRuns: 100 });
}

describeDatabases('searching by any filter, in any order, page by page', (open) => {
  const { state, inject, createRun } = useMlflow(open);
  const write = <T>(work: Parameters<typeof state.database.write<T>>[1]) =>
    state.database.write({ actor: 'user:test' }, work);

  /** Asks for what is found, by pages of so many; refusals fail the test. */
  async function findAll(path: string, ask: object, limit: number): Promise<Item[]> {
    const [method, url = ''] = path.split(' ');
    const found: Item[] = [];
    for (let token = ''; ; ) {
      const asked = { ...ask, max_results: limit, ...(token !== '' && { page_token: token }) };
      const query = new URLSearchParams(
        Object.entries(asked).flatMap(([key, value]) =>
          [value].flat().map((one): [string, string] => [key, String(one)]),
        ),
      );
      const { statusCode, body } = await inject(
        method === 'GET' ? { method, url: `${url}?${query.toString()}` } : { method: 'POST', url, payload: asked },
      );
      expect([statusCode, body]).toEqual([200, expect.any(String)]);
      const { next_page_token: next = '', ...rest } = JSON.parse(body) as { next_page_token?: string };
      const items = Object.values<Item[]>(rest)[0] ?? [];
      expect(items.length).toBeLessThanOrEqual(limit);
      found.push(...items);
      if (next === '') return found;
      token = next;
    }
  }

  test('logged models', async () => {
    const runIds = [await createRun(), await createRun()];
    const sample = fc.record({
      name: fc.constantFrom('one', 'two', 'Two', 'three', 'É', 'a-b'),
      type: fc.constantFrom('', 'agent', 'Agent'),
      ready: fc.boolean(),
      run: fc.constantFrom(...runIds),
      later: fc.constantFrom(0, 1),
      metrics: some(['auc', 'loss'], fc.constantFrom(...values)),
      params: some(['model', 'team'], fc.constantFrom(...texts)),
      tags: some(['model', 'team'], fc.constantFrom(...texts)),
    });
    const { tracking } = state.server;
    const { project } = state;
    for (const one of fc.sample(sample, { numRuns: 30, seed: 5 })) {
      await write(async (unit) => {
        const { modelId } = await tracking.createLoggedModel(unit, {
          project,
          experimentId: '0',
          name: one.name,
          modelType: one.type,
          sourceRunId: one.run,
          params: pairs(one.params),
          tags: pairs(one.tags),
        });
        const metrics = Object.entries(one.metrics).map(([key, value]) => ({
          key,
          value,
          step: 1,
          timestampMs: 1,
          modelId,
        }));
        await tracking.log(unit, { project, runId: one.run, metrics });
        if (one.ready) await tracking.finalizeLoggedModel(unit, { project, modelId, status: 'LOGGED_MODEL_READY' });
      });
      state.database.clock.advance(one.later);
    }
    const { items } = await tracking.searchLoggedModels(state.database.read, {
      project,
      experimentIds: ['0'],
      lifecycle: 'active',
      limit: 100,
    });
    expect(items.length).toBe(30);
    const things = items.map((model) => ({
      id: model.modelId,
      values: of([
        ['name', model.name],
        ['model_id', model.modelId],
        ['model_type', model.modelType],
        ['status', model.status],
        ['source_run_id', model.sourceRunId],
        ['creation_timestamp', model.createdMs],
        ['last_updated_timestamp', model.updatedMs],
        ...keyed('param', model.params),
        ...keyed('tag', model.tags),
        ...keyed('metric', model.metrics),
      ]),
    }));
    const attributes = ['name', 'model_id', 'model_type', 'status', 'source_run_id'];
    const numbers = ['creation_timestamp', 'last_updated_timestamp'];
    const kind: Kind = {
      texts: attributes,
      numbers,
      groups: ['params', 'tags'],
      ordered: [...attributes, ...numbers],
      metrics: true,
      lists: [...attributes, 'params', 'tags'],
      defaults: [term('creation_timestamp', true), term('model_id', false)],
    };
    await compareWithReference(things, kind, async (filter, orders, limit) => {
      const order_by = orders.map(({ group, key, descending }) => ({
        field_name: group === 'attributes' ? key : `${group}.${key}`,
        ascending: !descending,
      }));
      const ask = { experiment_ids: ['0'], filter, order_by };
      return (await findAll('POST /api/2.0/mlflow/logged-models/search', ask, limit)).map(
        ({ info }) => (info as { model_id: string }).model_id,
      );
    });
  }, 120_000);

  test('registered models and their versions', async () => {
    const { registry } = state.server;
    const { project } = state;
    const runIds = [await createRun(), await createRun()];
    const sample = fc.record({
      tags: some(['model', 'team'], fc.constantFrom(...texts)),
      later: fc.constantFrom(0, 1),
      versions: fc.array(
        fc.record({
          run: fc.constantFrom(undefined, ...runIds),
          source: fc.constantFrom('s3://b/1', 's3://b/2', 'S3://B/2'),
          tags: some(['model', 'team'], fc.constantFrom(...texts)),
          later: fc.constantFrom(0, 1),
        }),
        { maxLength: 5 },
      ),
    });
    for (const [at, one] of fc.sample(sample, { numRuns: named.length, seed: 9 }).entries()) {
      const model = named[at] ?? '';
      await write((unit) => registry.createModel(unit, { project, model, description: '', tags: pairs(one.tags) }));
      state.database.clock.advance(one.later);
      for (const { run, source, tags, later } of one.versions) {
        const made = await inject({
          method: 'POST',
          url: '/api/2.0/mlflow/model-versions/create',
          payload: { name: model, source, tags: pairs(tags), ...(run !== undefined && { run_id: run }) },
        });
        expect(made.statusCode).toBe(200);
        state.database.clock.advance(later);
      }
    }
    const { items: models } = await registry.searchModels(state.database.read, { project, limit: 100 });
    const { items: versions } = await registry.searchVersions(state.database.read, { project, limit: 1000 });
    expect([models.length, versions.length > 10]).toEqual([named.length, true]);
    const numbers = ['creation_timestamp', 'last_updated_timestamp'];
    const common = { numbers, groups: ['tags'], lists: [] };
    await compareWithReference(
      models.map((model) => ({
        id: model.name,
        values: of([
          ['name', model.name],
          ['creation_timestamp', model.createdMs],
          ['last_updated_timestamp', model.updatedMs],
          ...keyed('tag', model.tags),
        ]),
      })),
      {
        ...common,
        texts: ['name'],
        lists: ['name'],
        ordered: ['name', ...numbers],
        defaults: [term('name', false)],
      },
      async (filter, orders, limit) =>
        (
          await findAll(
            'GET /api/2.0/mlflow/registered-models/search',
            { filter, order_by: orders.map(printOrder) },
            limit,
          )
        ).map(({ name }) => String(name)),
    );
    await compareWithReference(
      versions.map((version) => ({
        id: `${version.model} ${version.version}`,
        values: of([
          ['name', version.model],
          ['run_id', version.trackingRunId ?? ''],
          ['source_path', version.source],
          ['version_number', version.version],
          ['creation_timestamp', version.createdMs],
          ['last_updated_timestamp', version.updatedMs],
          ...keyed('tag', version.tags),
        ]),
      })),
      {
        ...common,
        numbers: [...numbers, 'version_number'],
        texts: ['name', 'run_id', 'source_path'],
        lists: ['name', 'run_id'],
        ordered: ['name', 'version_number', ...numbers],
        defaults: [term('last_updated_timestamp', true), term('name', false), term('version_number', true)],
      },
      async (filter, orders, limit) =>
        (
          await findAll(
            'GET /api/2.0/mlflow/model-versions/search',
            { filter, order_by: orders.map(printOrder) },
            limit,
          )
        ).map(({ name, version }) => `${String(name)} ${String(version)}`),
    );
  }, 120_000);

  test('traces', async () => {
    const { project } = state;
    const sample = fc.record({
      name: fc.option(fc.constantFrom(...named), { nil: undefined }),
      state: fc.constantFrom('OK' as const, 'ERROR' as const, 'IN_PROGRESS' as const),
      requestMs: fc.constantFrom(startMs, startMs + 1, startMs + 2),
      durationMs: fc.option(fc.constantFrom(0, 1, 2), { nil: undefined }),
      request: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
      tags: some(['model', 'team'], fc.constantFrom(...texts)),
      metadata: some(['model', 'team'], fc.constantFrom(...texts)),
    });
    const made = fc.sample(sample, { numRuns: 30, seed: 3 }).map((one, at) => ({ ...one, traceId: traceId(at + 1) }));
    for (const { name, request, tags, ...told } of made)
      await write((unit) =>
        state.server.traces.putTrace(unit, {
          project,
          experimentId: '0',
          ...told,
          clientRequestId: request,
          tags: { ...tags, ...(name !== undefined && { 'mlflow.traceName': name }) },
        }),
      );
    const things = made.map((trace) => ({
      id: trace.traceId,
      values: of([
        ['name', trace.name],
        ['status', trace.state],
        ['request_id', trace.traceId],
        ['client_request_id', trace.request],
        ['timestamp_ms', trace.requestMs],
        ['execution_time_ms', trace.durationMs],
        ...keyed('tag', pairs(trace.tags)),
        ...keyed('metadata', pairs(trace.metadata)),
      ]),
    }));
    const kind: Kind = {
      texts: ['name', 'status', 'request_id', 'client_request_id'],
      numbers: ['timestamp_ms', 'execution_time_ms'],
      groups: ['tag', 'metadata'],
      ordered: ['name', 'status', 'request_id', 'timestamp_ms', 'execution_time_ms'],
      lists: ['name', 'status', 'request_id', 'client_request_id'],
      defaults: [term('timestamp_ms', true), term('request_id', false)],
    };
    expect(things).toHaveLength(30);
    await compareWithReference(things, kind, async (filter, orders, limit) => {
      const locations = [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '0' } }];
      const ask = { locations, filter, order_by: orders.map(printOrder) };
      return (await findAll('POST /api/3.0/mlflow/traces/search', ask, limit)).map(({ trace_id }) => String(trace_id));
    });
  }, 120_000);
});
