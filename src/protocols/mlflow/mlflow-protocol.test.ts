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
