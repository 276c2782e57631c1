import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

type Body = Readonly<Record<string, unknown>>;
/** A field that holds a text. */
const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
interface Answer {
  readonly status: number;
  readonly body: Body;
}

const ofDataset = ({ body }: Answer) => body['dataset'] as Body;
/** A scorer as a client writes it. */
const judge = (model: string) =>
  JSON.stringify({ name: 'fair', instructions_judge_pydantic_data: { instructions: '{{ outputs }}', model } });

describeDatabases('evaluation data sets and scorers over the MLflow protocol', (open) => {
  const { state, inject, makeProject } = useMlflow(open);

  async function call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object | string,
    prefix = '/api/3.0/mlflow',
  ): Promise<Answer> {
    const response = await inject({
      method,
      url: `${prefix}/${path}`,
      headers: { 'content-type': 'application/json' },
      ...(payload !== undefined && { payload: typeof payload === 'string' ? payload : JSON.stringify(payload) }),
    });
    return { status: response.statusCode, body: JSON.parse(response.body) as Body };
  }
  async function create(name: string, more: object = {}): Promise<string> {
    const made = await call('POST', 'datasets/create', { name, ...more });
    expect(made.status).toBe(200);
    return text(ofDataset(made)['dataset_id']);
  }
  const put = (id: string, records: unknown) =>
    call('POST', `datasets/${id}/records`, {
      records: typeof records === 'string' ? records : JSON.stringify(records),
    });
  const get = async (id: string) => ofDataset(await call('GET', `datasets/${id}`));
  const recordsText = async (id: string, query = '') =>
    text((await call('GET', `datasets/${id}/records${query}`)).body['records']);
  const records = async (id: string, query = '') => JSON.parse(await recordsText(id, query)) as Body[];
  const experiment = async (name: string) =>
    text((await call('POST', 'experiments/create', { name }, '/api/2.0/mlflow')).body['experiment_id']);
  const missing = { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } };
  const refused = { status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } };

  test('a data set is made, found, tagged and removed; its texts hold JSON', async () => {
    const tags = JSON.stringify({ team: 'ops', 'mlflow.user': 'ann', n: 1, none: null });
    const id = await create('questions', { experiment_ids: ['0'], tags });
    expect(id).toMatch(/^d-[0-9a-f]{32}$/);
    const made = await get(id);
    expect(made).toMatchObject({ name: 'questions', created_by: 'ann', experiment_ids: ['0'] });
    expect(JSON.parse(text(made['tags']))).toEqual({ team: 'ops', 'mlflow.user': 'ann', n: '1' });
    expect(made).not.toHaveProperty('schema');
    expect(made).not.toHaveProperty('profile');

    await call('PATCH', `datasets/${id}/tags`, { tags: '{"team":"ml","stage":1.0,"odd":[NaN,-1E5],"none":NaN}' });
    expect(JSON.parse(text((await get(id))['tags']))).toMatchObject({ stage: '1.0', odd: '[NaN,-1E5]', none: 'NaN' });
    await call('DELETE', `datasets/${id}/tags/stage`);
    await call('DELETE', `datasets/${id}/tags/stage`); // twice is no error
    expect(JSON.parse(text((await get(id))['tags']))).toMatchObject({ team: 'ml' });

    expect(await call('DELETE', `datasets/${id}`)).toEqual({ status: 200, body: {} });
    expect(await call('DELETE', `datasets/${id}`)).toMatchObject({ status: 200 });
    expect(await call('GET', `datasets/${id}`)).toMatchObject(missing);
    expect(await put(id, [])).toMatchObject(missing);
    expect(await call('GET', `datasets/${id}/records`)).toMatchObject(missing);
  });

  test('as many tags and experiments as a body holds are kept', async () => {
    const tags = Object.fromEntries(Array.from({ length: 12_000 }, (_, n) => [`tag ${n}`, String(n)]));
    const experiment_ids = ['0', ...Array.from({ length: 12_000 }, () => '0')];
    for (let n = 0; n < 3; n += 1) experiment_ids.push(await experiment(`e${n}`));
    const id = await create('many', { tags: JSON.stringify(tags), experiment_ids });
    const made = await get(id);
    expect(Object.keys(JSON.parse(text(made['tags'])) as object)).toHaveLength(12_000);
    const unknown = { experiment_ids: ['1', '123456', '0'] };
    expect(await call('POST', 'datasets/create', { name: 'x', ...unknown })).toMatchObject({
      status: 404,
      body: { message: expect.stringContaining('123456') },
    });
  });

  test('records of the same inputs are one, whatever the order of keys; schema, profile and digest follow', async () => {
    const id = await create('questions');
    const { digest } = await get(id);
    expect(
      (await put(id, [{ inputs: { q: 'a', k: 1 }, expectations: { ok: true } }, { inputs: { q: 'b' } }])).body,
    ).toEqual({
      inserted_count: 2,
      updated_count: 0,
    });
    const again = [
      { inputs: { k: 1, q: 'a' }, expectations: { more: 2 }, tags: { 'mlflow.user': 'ann' }, outputs: 'yes' },
      { inputs: { q: 'c' }, source: { source_type: 'trace', source_data: { trace_id: 'tr-1' } }, outputs: { a: 1 } },
      { inputs: { q: 'c' }, outputs: null },
    ];
    expect((await put(id, again)).body).toEqual({ inserted_count: 1, updated_count: 2 });
    const found = await records(id);
    expect(found).toMatchObject([
      {
        inputs: { q: 'a', k: 1 },
        expectations: { ok: true, more: 2 },
        outputs: 'yes',
        tags: { 'mlflow.user': 'ann' },
        last_updated_by: 'ann',
      },
      { inputs: { q: 'b' }, tags: {} },
      { inputs: { q: 'c' }, source_type: 'TRACE', source_id: 'tr-1' },
    ]);
    expect(found[2]).not.toHaveProperty('outputs');
    const now = await get(id);
    expect(now['digest']).not.toBe(digest);
    expect(JSON.parse(text(now['profile']))).toEqual({ num_records: 3 });
    expect(JSON.parse(text(now['schema']))).toEqual({
      inputs: { q: 'string', k: 'integer' },
      outputs: 'string',
      expectations: { ok: 'boolean', more: 'integer' },
      version: '1.0',
    });

    const gone = { dataset_record_ids: [found[0]?.['dataset_record_id'], 'dr-none'] };
    expect((await call('DELETE', `datasets/${id}/records`, gone)).body).toEqual({ deleted_count: 1 });
    expect((await call('DELETE', `datasets/${id}/records`, gone)).body).toEqual({ deleted_count: 0 });
    expect(JSON.parse(text((await get(id))['profile']))).toEqual({ num_records: 2 });
  });

  test('numbers come back as they were written, also those that JavaScript has none for', async () => {
    const id = await create('numbers');
    await put(id, '[{"inputs":{"id":12345678901234567890,"x":1.0},"outputs":NaN,"expectations":{"m":-Infinity}}]');
    const written = await recordsText(id);
    for (const part of ['"id":12345678901234567890', '"x":1.0', '"outputs":NaN', '"m":-Infinity'])
      expect(written).toContain(part);
    expect(JSON.parse(text((await get(id))['schema']))).toMatchObject({ inputs: { id: 'integer', x: 'float' } });
  });

  test('records come by pages, in the order in which they were given', async () => {
    const id = await create('many');
    const all = Array.from({ length: 1203 }, (_, n) => ({ inputs: { n } }));
    expect((await put(id, all)).body).toMatchObject({ inserted_count: 1203 });
    const seen: unknown[] = [];
    let query = '?max_results=500';
    for (;;) {
      const { body } = await call('GET', `datasets/${id}/records${query}`);
      seen.push(...(JSON.parse(text(body['records'])) as Body[]).map(({ inputs }) => (inputs as Body)['n']));
      if (body['next_page_token'] === undefined) break;
      query = `?max_results=500&page_token=${text(body['next_page_token'])}`;
    }
    expect(seen).toEqual(all.map(({ inputs }) => inputs.n));
  });

  test('data sets are searched by name, tag and experiment, ordered and paged', async () => {
    const [one, two] = [await experiment('one'), await experiment('two')];
    const a = await create('alpha', { experiment_ids: [one], tags: '{"team":"ops"}' });
    const b = await create('beta', { experiment_ids: [one, two] });
    await create('gamma');
    const names = async (query: object, method: 'GET' | 'POST' = 'POST') => {
      const { status, body } =
        method === 'POST'
          ? await call('POST', 'datasets/search', query)
          : await call('GET', `datasets/search?${new URLSearchParams(query as Record<string, string>).toString()}`);
      expect(status).toBe(200);
      return ((body['datasets'] ?? []) as Body[]).map(({ name }) => name);
    };
    expect(await names({ order_by: ['name ASC'] })).toEqual(['alpha', 'beta', 'gamma']);
    expect(await names({ experiment_ids: [one], order_by: ['name DESC'] })).toEqual(['beta', 'alpha']);
    expect(await names({ experiment_ids: [two] }, 'POST')).toEqual(['beta']);
    expect(await names({ filter_string: "tags.team = 'ops'" }, 'GET')).toEqual(['alpha']);
    expect(await names({ filter_string: "name IN ('alpha','gamma')", order_by: ['name ASC'] })).toEqual([
      'alpha',
      'gamma',
    ]);
    expect(await names({ filter_string: "name LIKE '%eta' AND created_time > 0" })).toEqual(['beta']);
    const page = await call('POST', 'datasets/search', { max_results: 2, order_by: ['name ASC'] });
    const rest = { max_results: 2, order_by: ['name ASC'], page_token: page.body['next_page_token'] };
    expect(await names(rest)).toEqual(['gamma']);

    expect(
      ofDataset(await call('POST', `datasets/${a}/add-experiments`, { experiment_ids: [two, one] })),
    ).toMatchObject({
      experiment_ids: [one, two],
    });
    expect((await call('GET', `datasets/${a}/experiment-ids`)).body).toEqual({ experiment_ids: [one, two] });
    await call('POST', `datasets/${b}/remove-experiments`, { experiment_ids: [one, two, '99'] });
    expect((await call('GET', `datasets/${b}/experiment-ids`)).body).toEqual({});
    expect(await call('POST', `datasets/${a}/add-experiments`, { experiment_ids: ['99'] })).toMatchObject(missing);
    expect(await call('POST', 'datasets/create', { name: 'x', experiment_ids: ['99'] })).toMatchObject(missing);

    const here = state.project;
    state.project = `${here}-other`;
    await makeProject(state.project);
    expect(await names({})).toEqual([]);
    expect(await call('GET', `datasets/${a}`)).toMatchObject(missing);
    expect(await call('DELETE', `datasets/${a}`)).toMatchObject({ status: 200 }); // of another project: nothing happens
    state.project = here;
    expect(await get(a)).toMatchObject({ name: 'alpha' });
  });

  test('a run that logs a state of a data set leads back to it in the graph', async () => {
    const id = await create('questions');
    await put(id, [{ inputs: { q: 1 } }]);
    const { digest } = await get(id);
    const { body } = await call('POST', 'runs/create', { experiment_id: '0' }, '/api/2.0/mlflow');
    const runId = ((body['run'] as Body)['info'] as Body)['run_id'];
    const source = { source_type: 'mlflow_evaluation_dataset', source: JSON.stringify({ dataset_id: id }) };
    const datasets = [{ dataset: { name: 'questions', digest, ...source }, tags: [] }];
    await call('POST', 'runs/log-inputs', { run_id: runId, datasets }, '/api/2.0/mlflow');
    const { nodes } = await state.server.lineage.trace(
      state.database.read,
      state.project,
      `tracking-run:${text(runId)}`,
      {
        direction: 'up',
      },
    );
    expect(nodes.map(({ ref }) => ref)).toContain(`evaluation-dataset:${id}`);
  });

  test('what cannot be a data set or a record is refused, and nothing of it is kept', async () => {
    for (const wrong of [
      {},
      'not json',
      { name: 7 },
      { name: ' ' },
      { name: 'x'.repeat(256) },
      { name: 'x', tags: 'no json' },
      { name: 'x', tags: '[1]' },
      { name: 'x', tags: JSON.stringify({ k: 'x'.repeat(5001) }) },
      { name: 'x', experiment_ids: [1] },
    ])
      expect(await call('POST', 'datasets/create', wrong)).toMatchObject(refused);
    expect(await call('POST', 'datasets/create', { name: 'x', experiment_ids: ["0' or 1"] })).toMatchObject(missing);

    const id = await create('questions');
    for (const wrong of [
      'no json',
      '{}',
      'null',
      '7',
      '[1]',
      '[null]',
      '[{"inputs":[]}]',
      '[{"inputs":{"q":1}},{"inputs":{},"tags":7}]',
      '[{"inputs":{},"source":{"source_type":"MOON"}}]',
      `[{"inputs":{"deep":${'['.repeat(5000)}${']'.repeat(5000)}}}]`,
    ])
      expect(await put(id, wrong)).toMatchObject(refused);
    expect(await call('POST', `datasets/${id}/records`, {})).toMatchObject(refused);
    expect(await records(id)).toEqual([]);
    for (const query of ['max_results=0', 'max_results=x', 'page_token=x', 'page_token=W10'])
      expect(await call('GET', `datasets/${id}/records?${query}`)).toMatchObject(refused);
    for (const search of [{ filter_string: 'name =' }, { filter_string: "color = 'red'" }, { order_by: ['color'] }])
      expect(await call('POST', 'datasets/search', search)).toMatchObject(refused);
    expect(await call('PATCH', `datasets/${id}/tags`, {})).toMatchObject(refused);
    expect(await call('PATCH', 'datasets/d-none/tags', { tags: '{}' })).toMatchObject(missing);
  });

  test('scorers have versions in their experiment, which no other project sees', async () => {
    const experiment_id = await experiment('judged');
    const register = (name: string, serialized_scorer: string) =>
      call('POST', 'scorers/register', { experiment_id, name, serialized_scorer });
    const first = await register('fair', judge('openai:/a'));
    expect(first.body).toMatchObject({
      version: 1,
      experiment_id,
      name: 'fair',
      serialized_scorer: judge('openai:/a'),
    });
    expect((await register('fair', judge('openai:/b'))).body).toMatchObject({
      version: 2,
      scorer_id: first.body['scorer_id'],
    });
    await register('brief', '{"name":"brief"}');
    const list = async (query: string) =>
      (((await call('GET', `scorers/${query}`)).body['scorers'] ?? []) as Body[]).map((scorer) => [
        scorer['scorer_name'],
        scorer['scorer_version'],
      ]);
    const newest = [
      ['brief', 1],
      ['fair', 2],
    ];
    expect(await list(`list?experiment_id=${experiment_id}`)).toEqual(newest);
    expect(await list('list')).toEqual(newest);
    expect(await list(`list?experiment_ids=${experiment_id}&experiment_ids=0`)).toEqual(newest);
    expect(await list('list?experiment_ids=0')).toEqual([]);
    const of = `experiment_id=${experiment_id}&name=fair`;
    expect(await list(`versions?${of}`)).toEqual([
      ['fair', 1],
      ['fair', 2],
    ]);
    expect((await call('GET', `scorers/get?${of}&version=1`)).body['scorer']).toMatchObject({
      experiment_id: Number(experiment_id),
      scorer_version: 1,
      serialized_scorer: judge('openai:/a'),
    });
    expect((await call('GET', `scorers/get?${of}`)).body['scorer']).toMatchObject({ scorer_version: 2 });

    const fair = { experiment_id, name: 'fair' };
    expect(await call('DELETE', 'scorers/delete', { ...fair, version: 1 })).toEqual({ status: 200, body: {} });
    expect(await call('DELETE', 'scorers/delete', { ...fair, version: 1 })).toMatchObject(missing);
    expect((await register('fair', judge('openai:/c'))).body).toMatchObject({ version: 3 });
    await call('DELETE', 'scorers/delete', fair);
    for (const path of [`versions?${of}`, `get?${of}`])
      expect(await call('GET', `scorers/${path}`)).toMatchObject(missing);

    await call('POST', 'experiments/delete', { experiment_id }, '/api/2.0/mlflow');
    expect(await list('list')).toEqual([]);
    expect(await call('GET', `scorers/list?experiment_id=${experiment_id}`)).toMatchObject(refused);
    state.project = `${state.project}-other`;
    await makeProject(state.project);
    expect(await call('GET', 'scorers/list')).toEqual({ status: 200, body: {} });
  });

  test('sampling is off or refused, since no scorer runs here; code is not kept', async () => {
    const fair = { experiment_id: '0', name: 'fair' };
    const { body } = await call('POST', 'scorers/register', { ...fair, serialized_scorer: judge('openai:/a') });
    expect(await call('PUT', 'scorers/online-config', { ...fair, sample_rate: 0.5 })).toMatchObject(refused);
    const off = await call('PUT', 'scorers/online-config', { ...fair, sample_rate: 0, filter_string: "status = 'OK'" });
    expect(off.body['config']).toMatchObject({ scorer_id: body['scorer_id'], sample_rate: 0, experiment_id: '0' });
    const ids = `scorer_ids=${text(body['scorer_id'])}&scorer_ids=none`;
    expect((await call('GET', `scorers/online-configs?${ids}`)).body).toEqual({ configs: [off.body['config']] });

    for (const serialized_scorer of [
      '',
      'no json',
      '7',
      '[]',
      '{"call_source":"return 1"}',
      '{"ensemble_scorer_data":{"scorers":[{"call_source":"import os"}]}}',
    ])
      expect(await call('POST', 'scorers/register', { ...fair, serialized_scorer })).toMatchObject(refused);
    expect(await call('POST', 'scorers/register', { ...fair, serialized_scorer: judge('gateway:/x') })).toMatchObject(
      missing,
    );
    const known = { serialized_scorer: '{}' };
    for (const [wrong, answer] of [
      [{ name: 'x', ...known }, refused],
      [{ experiment_id: '0', ...known }, refused],
      [{ experiment_id: '0', name: ' ', ...known }, refused],
      [{ experiment_id: '99', name: 'x', ...known }, missing],
      [{ experiment_id: 'x', name: 'x', ...known }, missing],
    ] as const)
      expect(await call('POST', 'scorers/register', wrong)).toMatchObject(answer);
    for (const [path, answer] of [
      ['list?experiment_id=0&experiment_ids=0', refused],
      ['get?experiment_id=0&name=fair&version=x', refused],
      ['get?experiment_id=0&name=fair&version=9', missing],
      ['get?name=fair', refused],
      ['online-configs', refused],
    ] as const)
      expect(await call('GET', `scorers/${path}`)).toMatchObject(answer);
    for (const sample_rate of [2, -1, 'NaN', 'much', {}])
      expect(await call('PUT', 'scorers/online-config', { ...fair, sample_rate })).toMatchObject(refused);
    expect(await call('PUT', 'scorers/online-config', { ...fair, name: 'none', sample_rate: 0 })).toMatchObject(
      missing,
    );
  });

  test('everything that is called supported was answered', () => {
    expect(state.server.unanswered('evaluationDatasets')).toEqual([]);
    expect(state.server.unanswered('scorers')).toEqual([]);
  });
});
