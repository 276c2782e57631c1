import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases('the MLflow protocol', (open) => {
  const { call, createRun, post, read, send, state, get } = useMlflow(open);
  const log = async (payload: string, type = 'application/json') =>
    send({ method: 'POST', url: '/api/2.0/mlflow/runs/log-metric', payload, headers: { 'content-type': type } });

  test('what is missing or of the wrong type is named in the words that clients match', async () => {
    expect((await post('experiments/create', {})).body).toEqual({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: expect.stringContaining("Missing value for required parameter 'name'"),
    });
    expect((await post('experiments/create', { name: 123 })).body.message).toContain(
      "Invalid value 123 for parameter 'name' supplied",
    );
    const run_id = await createRun();
    const metrics = [{ key: 'a', timestamp: 1 }];
    expect((await post('runs/log-batch', { run_id, metrics })).body.message).toContain("'metrics[0].value'");
    const broken = await send({
      method: 'POST',
      url: '/api/2.0/mlflow/experiments/create',
      headers: { 'content-type': 'application/json' },
      payload: '{"name": ',
    });
    expect(broken.body.message).toContain("Missing value for required parameter 'name'");
    const plain = await send({
      method: 'POST',
      url: '/api/2.0/mlflow/experiments/create',
      headers: { 'content-type': 'text/plain' },
      payload: '{"name":"x"}',
    });
    expect(plain).toMatchObject({ status: 400, body: { message: expect.stringContaining('Content-Type') } });
    expect(await post('nothing/here', {})).toMatchObject({ status: 404, body: { error_code: 'ENDPOINT_NOT_FOUND' } });
    const twice = await post('runs/create', { experiment_id: '0', experimentId: '0' });
    expect(twice.status).toBe(400);
  });

  test('the same calls answer under /ajax-api, and camelCase fields are understood', async () => {
    const answer = await call('POST', 'runs/create', { experimentId: '0', runName: 'x' }, '/ajax-api/2.0/mlflow');
    expect(answer.body).toMatchObject({ run: { info: { run_name: 'x' } } });
  });

  test('JSON as Python and old clients write it is understood: encoded twice, with NaN, with a byte order mark', async () => {
    const run_id = await createRun();
    const metric = (key: string, value: string) =>
      `{"run_id": "${run_id}", "key": "${key}", "value": ${value}, "timestamp": 1}`;
    expect((await log(JSON.stringify(metric('twice', '1')))).status).toBe(200);
    expect((await log(metric('NaN', 'NaN'))).status).toBe(200);
    expect((await log(metric('Infinity \\" NaN', '-Infinity'))).body.message).toContain('Names may only contain');
    expect((await log(metric('inf', '-Infinity'))).status).toBe(200);
    expect((await log(`\ufeff${metric('mark', '2')}`, 'application/json; charset=utf-8')).status).toBe(200);
    expect((await get('runs/get', { run_id })).body).toMatchObject({
      run: { data: { metrics: [{ key: 'NaN', value: 'NaN' }, { key: 'inf' }, { key: 'mark' }, { key: 'twice' }] } },
    });
    for (const payload of ['[]', '[1]', '5', 'null', '"text"', '"\\"{}\\""', '{', '{"run_id": NaN'])
      expect((await log(payload)).body.message).toContain("Missing value for required parameter 'run_id'");
    const long = `{"run_id": "${run_id}", "key": "k", "value": NaN, "timestamp": 1, "x": "${'\\"'.repeat(4_000_000)}"}`;
    expect((await log(long)).status).toBe(200);
    expect((await log(`{"${'\\"'.repeat(1_000_000)}`)).body.message).toContain("parameter 'run_id'");
    expect((await log(metric('a', '1'), 'application/jsonx')).body).toEqual({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: "Bad Request. Content-Type must be one of ['application/json'].",
    });
  });

  test('half of a surrogate pair, as Python writes bytes that are no text, is kept as one replacement sign', async () => {
    const run_id = await createRun();
    const tag = (value: string) =>
      send({
        method: 'POST',
        url: '/api/2.0/mlflow/runs/set-tag',
        payload: `{"run_id": "${run_id}", "key": "note", "value": "${value}"}`,
        headers: { 'content-type': 'application/json' },
      });
    for (const [written, kept] of [
      ['caf\\udce9 \\uD83D', 'caf\ufffd \ufffd'],
      ['\\ud83d\\ude80 \\\\ud83d', '\u{1f680} \\ud83d'],
    ] as const) {
      expect((await tag(written)).status).toBe(200);
      const tags = expect.arrayContaining([{ key: 'note', value: kept }]);
      expect((await get('runs/get', { run_id })).body).toMatchObject({ run: { data: { tags } } });
    }
  });

  test('U+0000 is refused in whatever is kept and in whatever is asked for, as is a filter with it', async () => {
    const run_id = await createRun();
    await post('registered-models/create', { name: 'm' });
    await post('model-versions/create', { name: 'm', source: 's3://b/a' });
    const nul = 'a\0b';
    const refused = async (what: string, answer: ReturnType<typeof post>) => {
      const { status: code, body } = await answer;
      expect([what, code, body.error_code]).toEqual([what, 400, 'INVALID_PARAMETER_VALUE']);
    };
    for (const [path, payload] of [
      ['experiments/create', { name: nul }],
      ['experiments/create', { name: 'e', tags: [{ key: 'k', value: nul }] }],
      ['experiments/set-experiment-tag', { experiment_id: '0', key: nul, value: 'v' }],
      ['runs/create', { experiment_id: '0', run_name: nul }],
      ['runs/create', { experiment_id: '0', user_id: nul }],
      ['runs/create', { experiment_id: '0', tags: [{ key: 'k', value: nul }] }],
      ['runs/set-tag', { run_id, key: 'k', value: nul }],
      ['runs/log-parameter', { run_id, key: 'k', value: nul }],
      ['runs/log-batch', { run_id, params: [{ key: 'k', value: nul }] }],
      ['runs/log-batch', { run_id, tags: [{ key: 'k', value: nul }] }],
      ['runs/log-inputs', { run_id, datasets: [{ dataset: dataset({ name: nul }) }] }],
      ['runs/log-inputs', { run_id, datasets: [{ dataset: dataset({ schema: nul }) }] }],
      ['runs/log-inputs', { run_id, datasets: [{ dataset: dataset({}), tags: [{ key: 'k', value: nul }] }] }],
      ['runs/get', undefined],
      ['runs/search', { experiment_ids: ['0'], filter: `params.a = '${nul}'` }],
      ['experiments/search', { max_results: 5, filter: `name = '${nul}'` }],
      ['logged-models', { experiment_id: '0', name: nul }],
      ['logged-models', { experiment_id: '0', model_type: nul }],
      ['logged-models', { experiment_id: '0', params: [{ key: 'k', value: nul }] }],
      ['logged-models/search', { experiment_ids: ['0'], filter: `name = '${nul}'` }],
      ['registered-models/create', { name: nul }],
      ['registered-models/create', { name: 'n', description: nul }],
      ['registered-models/set-tag', { name: 'm', key: 'k', value: nul }],
      ['registered-models/alias', { name: 'm', alias: nul, version: '1' }],
      ['model-versions/create', { name: 'm', source: `s3://b/${nul}` }],
      ['model-versions/create', { name: 'm', source: 's3://b/a', description: nul }],
      ['model-versions/set-tag', { name: 'm', version: '1', key: 'k', value: nul }],
    ] as const)
      await refused(
        `${path} ${JSON.stringify(payload)}`,
        payload === undefined ? get(path, { run_id: nul }) : post(path, payload),
      );
    for (const [path, query] of [
      ['experiments/get-by-name', { experiment_name: nul }],
      ['registered-models/search', { filter: `name = '${nul}'` }],
      ['model-versions/search', { filter: `name = '${nul}'` }],
      ['metrics/get-history', { run_id, metric_key: nul }],
      ['registered-models/alias', { name: 'm', alias: nul }],
    ] as const)
      await refused(path, get(path, query));
  });

  test('whatever is asked for where clients ask is answered in the form of MLflow, also when nothing is there', async () => {
    for (const [method, url, code] of [
      ['GET', '/api/2.0/mlflow/nothing/here', 404],
      ['GET', '/api/2.0/mlflow/runs/get/more', 404],
      ['DELETE', '/api/2.0/mlflow/runs/get', 404],
      ['OPTIONS', '/api/2.0/mlflow/runs/get', 404],
      ['GET', '/ajax-api/2.0/mlflow/runs/nothing', 404],
      ['PUT', '/api/3.0/mlflow/traces/nothing', 404],
      ['GET', '/api/2.0/mlflow', 404],
      ['GET', '/ajax-api/3.0/jobs/x', 404],
      ['GET', '/api/2.0/mlflow-artifacts/nothing', 404],
      ['GET', '/api/2.0/mlflow-artifacts/artifacts/%zz', 400],
      ['GET', '/api/3.0/mlflow/traces/%e2%28', 400],
      ['PATCH', '/ajax-api/2.0/mlflow/logged-models/%', 400],
      ['GET', '/projects/%zz/api/2.0/mlflow/runs/get', 400],
    ] as const)
      expect([url, await send({ method, url })]).toEqual([
        url,
        {
          status: code,
          body: {
            error_code: code === 404 ? 'ENDPOINT_NOT_FOUND' : 'INVALID_PARAMETER_VALUE',
            message: expect.any(String),
          },
        },
      ]);
    for (const method of ['GET', 'POST'] as const)
      expect(await send({ method, url: '/graphql', payload: '{"query":"{test}"}' })).toMatchObject({
        status: 501,
        body: { error_code: 'NOT_IMPLEMENTED' },
      });
  });

  test('who may only read is refused writes in the form of MLflow', async () => {
    state.principal = { id: 'token:viewer', can: (permission) => permission === 'read' || permission === 'public' };
    expect(await post('experiments/create', { name: 'e' })).toMatchObject({
      status: 403,
      body: { error_code: 'PERMISSION_DENIED', message: expect.any(String) },
    });
    expect((await post('runs/search', { experiment_ids: ['0'] })).status).toBe(200);
  });

  test('the server says that it is an MLflow server', async () => {
    expect(await read('/health')).toBe('OK');
    expect(await read('/version')).toBe('3.17.2');
    expect(JSON.parse(await read('/api/3.0/mlflow/server-info'))).toMatchObject({ store_type: 'SqlStore' });
  });

  test('every call that the table of plainServer calls supported has answered', () => {
    expect(state.server.unanswered('plainServer')).toEqual([]);
  });
});

const dataset = (given: object) => ({ name: 'd', digest: '1', source_type: 's', source: 'x', ...given });
