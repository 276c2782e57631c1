import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Principal } from '#platform/http';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { createMlflowTestServer, type MlflowTestServer } from './mlflow-test-server.ts';

interface Answer {
  readonly status: number;
  readonly body: Record<string, never> & { error_code?: string; message?: string };
}

describeDatabases('the MLflow protocol', (open) => {
  let database: TestDatabase;
  let server: MlflowTestServer;
  let principal: Principal;

  let project: string;
  let projects = 0;

  beforeAll(async () => {
    database = await open();
    server = await createMlflowTestServer({
      database,
      clock: database.clock,
      ids: database.ids,
      authenticate: async () => principal,
    });
  });
  beforeEach(() => {
    principal = { id: 'user:local', can: () => true };
    projects += 1;
    project = `p${projects}`; // an empty one for each test
  });
  afterAll(async () => {
    await server.app.close();
    await database.close();
  });

  const inject = (options: InjectOptions & { readonly url: string }) =>
    server.app.inject({
      ...options,
      url: options.url.startsWith('/projects/') ? options.url : `/projects/${project}${options.url}`,
      headers: { host: 'localhost', ...options.headers },
    });
  async function send(options: InjectOptions & { readonly url: string }): Promise<Answer> {
    const response = await inject(options);
    return { status: response.statusCode, body: response.body === '' ? {} : JSON.parse(response.body) };
  }
  const call = (method: 'POST' | 'PATCH' | 'DELETE', path: string, payload: object, prefix = '/api/2.0/mlflow') =>
    send({ method, url: `${prefix}/${path}`, payload });
  const post = (path: string, payload: object) => call('POST', path, payload);
  const get = (path: string, query: Record<string, string | string[]> = {}) =>
    send({ method: 'GET', url: `/api/2.0/mlflow/${path}`, query });
  const read = async (url: string) => (await inject({ method: 'GET', url })).body;
  const createRun = async (): Promise<string> => {
    const { body } = await post('runs/create', { experiment_id: '0', user_id: 'ann', start_time: 5 });
    return (body as never as { run: { info: { run_id: string } } }).run.info.run_id;
  };

  test('experiments are made, found by id and name, renamed, deleted and restored', async () => {
    expect((await get('experiments/get', { experiment_id: '0' })).body).toMatchObject({
      experiment: { experiment_id: '0', name: 'Default', artifact_location: 'mlflow-artifacts:/0' },
    });
    expect(await post('experiments/create', { name: 'e', tags: [{ key: 'a', value: 'b' }] })).toEqual({
      status: 200,
      body: { experiment_id: '1' },
    });
    expect(await post('experiments/create', { name: 'e' })).toMatchObject({
      status: 400,
      body: { error_code: 'RESOURCE_ALREADY_EXISTS' },
    });
    expect(await get('experiments/get-by-name', { experiment_name: 'none' })).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
    await post('experiments/update', { experiment_id: '1', new_name: 'f' });
    await post('experiments/delete', { experiment_id: '1' });
    expect((await get('experiments/get-by-name', { experiment_name: 'f' })).body).toMatchObject({
      experiment: { lifecycle_stage: 'deleted', tags: [{ key: 'a', value: 'b' }] },
    });
    expect((await post('experiments/delete', { experiment_id: '1' })).status).toBe(404);
    await post('experiments/restore', { experiment_id: '1' });
    const found = await post('experiments/search', { max_results: 1, order_by: ['name DESC'] });
    expect(found.body).toMatchObject({ experiments: [{ name: 'f' }], next_page_token: expect.any(String) });
    const next = await post('experiments/search', {
      max_results: 1,
      order_by: ['name DESC'],
      page_token: found.body['next_page_token'],
    });
    expect(next.body).toEqual({ experiments: [expect.objectContaining({ name: 'Default' })] });
    expect((await post('experiments/search', { page_token: 'garbage' })).status).toBe(400);
  });

  test('a project is a prefix: its experiments and runs are its own', async () => {
    const prefix = '/projects/elsewhere/api/2.0/mlflow';
    expect((await call('POST', 'experiments/create', { name: 'e' }, prefix)).body).toEqual({ experiment_id: '1' });
    expect((await post('experiments/create', { name: 'e' })).body).toEqual({ experiment_id: '1' });
    const runId = await createRun();
    expect((await send({ method: 'GET', url: `${prefix}/runs/get?run_id=${runId}` })).status).toBe(404);
  });

  test('a run carries what a batch logged: numbers as numbers, NaN as a text, nothing that is empty', async () => {
    const runId = await createRun();
    const metrics = [
      { key: 'auc', value: 0.5, timestamp: '17', step: 1 },
      { key: 'nan', value: 'NaN', timestamp: 17 },
      { key: 'inf', value: '-Infinity', timestamp: 17 },
    ];
    const params = [{ key: 'lr', value: '' }];
    const tags = [
      { key: 'a', value: '1' },
      { key: 'a', value: '2' },
    ];
    expect(await post('runs/log-batch', { run_id: runId, metrics, params, tags })).toEqual({ status: 200, body: {} });
    const { body } = await get('runs/get', { run_id: runId });
    expect(body).toMatchObject({
      run: {
        info: { run_id: runId, run_uuid: runId, status: 'RUNNING', start_time: 5, user_id: 'ann' },
        data: {
          metrics: [
            { key: 'auc', value: 0.5, timestamp: 17, step: 1 },
            { key: 'inf', value: -Number.MAX_VALUE },
            { key: 'nan', value: 'NaN', step: 0 },
          ],
          params: [{ key: 'lr', value: '' }],
          tags: [
            { key: 'a', value: '2' },
            { key: 'mlflow.runName', value: expect.any(String) },
          ],
        },
        inputs: {},
        outputs: {},
      },
    });
    const ended = await post('runs/update', { run_id: runId, status: 'FINISHED', end_time: 9, run_name: 'named' });
    expect(ended.body).toMatchObject({ run_info: { status: 'FINISHED', end_time: 9, run_name: 'named' } });
    await post('runs/delete', { run_id: runId });
    expect(await post('runs/set-tag', { run_id: runId, key: 'a', value: 'b' })).toMatchObject({
      status: 400,
      body: {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: expect.stringContaining("must be in the 'active' state"),
      },
    });
  });

  test('params do not change, and the message says what was tried', async () => {
    const run_id = await createRun();
    await post('runs/log-parameter', { run_id, key: 'lr', value: '1' });
    expect((await post('runs/log-parameter', { run_id, key: 'lr', value: '1' })).status).toBe(200);
    const changed = await post('runs/log-parameter', { run_id, key: 'lr', value: '2' });
    expect(changed).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('Changing param values is not allowed') },
    });
    const twice = {
      run_id,
      params: [
        { key: 'a', value: '1' },
        { key: 'a', value: '2' },
      ],
    };
    expect((await post('runs/log-batch', twice)).body.message).toContain('Duplicate parameter keys');
  });

  test('history comes in order and in pages', async () => {
    const run_id = await createRun();
    for (const step of [3, 1, 2])
      await post('runs/log-metric', { run_id, key: 'm', value: step, timestamp: step, step });
    const first = await get('metrics/get-history', { run_id, metric_key: 'm', max_results: '2' });
    expect(first.body).toMatchObject({ metrics: [{ step: 1 }, { step: 2 }] });
    const page_token = String(first.body['next_page_token']);
    const second = await get('metrics/get-history', { run_id, metric_key: 'm', max_results: '2', page_token });
    expect(second.body).toEqual({ metrics: [{ key: 'm', value: 3, timestamp: 3, step: 3 }] });
    expect((await get('metrics/get-history', { run_id, metric_key: 'none' })).body).toEqual({});
  });

  test('runs are searched over the wire', async () => {
    const run_id = await createRun();
    await createRun();
    await post('runs/log-metric', { run_id, key: 'm', value: 1, timestamp: 1 });
    const found = await post('runs/search', { experiment_ids: ['0'], filter: 'metrics.m > 0.5' });
    expect(found.body).toMatchObject({ runs: [{ info: { run_id } }] });
    expect((await post('runs/search', { experiment_ids: ['0'], filter: "a = 'b' OR c = 'd'" })).status).toBe(400);
    expect((await post('runs/search', { experiment_ids: [] })).body).toEqual({});
  });

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

  test('artifacts are put, listed from both roots, read and removed', async () => {
    const run_id = await createRun();
    const proxy = '/api/2.0/mlflow-artifacts/artifacts';
    const url = `${proxy}/0/${run_id}/artifacts/plots/a%20b.txt`;
    const put = await send({ method: 'PUT', url, payload: Buffer.from('hello') });
    expect(put.status).toBe(200);
    expect((await get('artifacts/list', { run_id })).body).toEqual({
      root_uri: `mlflow-artifacts:/0/${run_id}/artifacts`,
      files: [{ path: 'plots', is_dir: true }],
    });
    expect((await get('artifacts/list', { run_id, path: 'plots' })).body).toMatchObject({
      files: [{ path: 'plots/a b.txt', is_dir: false, file_size: 5 }],
    });
    const listed = await send({ method: 'GET', url: proxy, query: { path: `0/${run_id}/artifacts/plots` } });
    expect(listed.body).toEqual({ files: [{ path: 'a b.txt', is_dir: false, file_size: 5 }] });
    const whole = await inject({ method: 'GET', url });
    expect([whole.statusCode, whole.body, whole.headers['content-length']]).toEqual([200, 'hello', '5']);
    const page = `/get-artifact?run_id=${run_id}&path=plots/a%20b.txt`;
    const shown = await inject({ method: 'GET', url: page });
    expect(shown.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': expect.stringContaining('attachment'),
      'x-content-type-options': 'nosniff',
    });
    for (const path of ['../x', '%2e%2e/x', '%252e%252e/x', '/etc/passwd', 'a%00b', 'a/%2e%2e/%2e%2e/x', '..%5cx'])
      expect(
        (await send({ method: 'PUT', url: `${proxy}/${path}`, payload: Buffer.from('x') })).status,
      ).toBeGreaterThanOrEqual(400);
    expect((await get('artifacts/list', { run_id, path: '../..' })).status).toBe(400);
    const noName = 'registry-files/%25/1'; // a bare % once decoded
    expect((await send({ method: 'GET', url: `${proxy}/${noName}/x` })).status).toBe(404);
    expect((await send({ method: 'GET', url: `${proxy}?path=${noName}` })).body).toEqual({});
    expect((await send({ method: 'DELETE', url: `${proxy}/0/${run_id}/artifacts/plots`, payload: {} })).status).toBe(
      200,
    );
    expect((await send({ method: 'GET', url })).status).toBe(404);
    const multipart = await send({
      method: 'POST',
      url: '/api/2.0/mlflow-artifacts/mpu/create/0/x',
      payload: { path: 'x', num_parts: 2 },
    });
    expect(multipart).toEqual({
      status: 501,
      body: {
        error_code: 'NOT_IMPLEMENTED',
        message: 'Multipart upload is not supported for the current artifact repository',
      },
    });
  });

  test('a logged model is registered by its URI: its run, files and own note follow', async () => {
    const source_run_id = await createRun();
    const created = await post('logged-models', { experiment_id: '0', name: 'model', source_run_id });
    const model = (created.body as never as { model: { info: { model_id: string; artifact_uri: string } } }).model.info;
    const folder = model.artifact_uri.replace('mlflow-artifacts:/', '/api/2.0/mlflow-artifacts/artifacts/');
    await send({ method: 'PUT', url: `${folder}/MLmodel`, payload: Buffer.from('flavors: {}') });
    const ready = await call('PATCH', `logged-models/${model.model_id}`, { status: 'LOGGED_MODEL_READY' });
    expect(ready.body).toMatchObject({ model: { info: { status: 'LOGGED_MODEL_READY' } } });
    expect((await post('registered-models/create', { name: 'm' })).body).toMatchObject({
      registered_model: { name: 'm' },
    });
    const version = await post('model-versions/create', {
      name: 'm',
      source: `models:/${model.model_id}`,
      model_id: model.model_id,
    });
    expect(version.body).toMatchObject({
      model_version: { name: 'm', version: '1', run_id: source_run_id, status: 'READY', current_stage: 'None' },
    });
    expect((await get('model-versions/get-download-uri', { name: 'm', version: '1' })).body).toEqual({
      artifact_uri: model.artifact_uri,
    });
    expect((await send({ method: 'GET', url: `/api/2.0/mlflow/logged-models/${model.model_id}` })).body).toMatchObject({
      model: { info: { tags: [{ key: 'mlflow.modelVersions', value: '[{"name":"m","version":1}]' }] } },
    });
    expect(await server.registry.version(database.read, project, 'm', 1)).toMatchObject({
      files: [{ path: 'MLmodel', sizeBytes: 11 }],
    });
    const graph = await server.lineage.trace(database.read, project, 'model:m@1', { direction: 'up' });
    expect(graph.nodes.map(({ ref }) => ref)).toEqual(
      expect.arrayContaining([`logged-model:${model.model_id}`, `tracking-run:${source_run_id}`]),
    );
    const copied = await post('model-versions/create', { name: 'm', source: 'models:/m/1' });
    expect(copied.body).toMatchObject({ model_version: { version: '2', run_id: source_run_id } });
    for (const source of ['/etc/passwd', 'file:///etc', 'mlflow-artifacts:/0/../../x', 'relative/path'])
      expect((await post('model-versions/create', { name: 'm', source })).status).toBe(400);
  });

  test('aliases, stages, tags, search and deletion of models and versions', async () => {
    await post('registered-models/create', { name: 'm', tags: [{ key: 'team', value: 'ops' }] });
    expect((await post('registered-models/create', { name: 'm' })).body).toEqual({
      error_code: 'RESOURCE_ALREADY_EXISTS',
      message: 'Registered Model (name=m) already exists.',
    });
    for (const source of ['s3://a', 's3://b']) await post('model-versions/create', { name: 'm', source });
    await post('registered-models/alias', { name: 'm', alias: 'champion', version: '1' });
    expect((await get('registered-models/alias', { name: 'm', alias: 'champion' })).body).toMatchObject({
      model_version: { version: '1', aliases: ['champion'] },
    });
    expect(await get('registered-models/alias', { name: 'm', alias: 'none' })).toEqual({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE', message: 'Registered model alias none not found.' },
    });
    const moved = { name: 'm', version: '2', stage: 'production', archive_existing_versions: true };
    expect((await post('model-versions/transition-stage', moved)).body).toMatchObject({
      model_version: { current_stage: 'Production' },
    });
    expect((await post('model-versions/transition-stage', { ...moved, stage: 'None' })).status).toBe(400);
    expect((await get('registered-models/get', { name: 'm' })).body).toMatchObject({
      registered_model: {
        latest_versions: [{ version: '1' }, { version: '2', current_stage: 'Production' }],
        aliases: [{ alias: 'champion', version: '1' }],
        tags: [{ key: 'team', value: 'ops' }],
      },
    });
    expect((await get('registered-models/search', { filter: "tags.team = 'ops'" })).body).toMatchObject({
      registered_models: [{ name: 'm' }],
    });
    expect((await get('model-versions/search', { filter: "name='m'", max_results: '1' })).body).toMatchObject({
      model_versions: [{ version: '2' }],
      next_page_token: expect.any(String),
    });
    expect((await call('DELETE', 'model-versions/delete-tag', { name: 'm', version: '1', key: 'no' })).status).toBe(
      200,
    );
    await call('DELETE', 'model-versions/delete', { name: 'm', version: '1' });
    expect((await get('registered-models/alias', { name: 'm', alias: 'champion' })).status).toBe(400);
    await post('registered-models/rename', { name: 'm', new_name: 'n' });
    expect((await get('registered-models/get', { name: 'm' })).body).toEqual({
      error_code: 'RESOURCE_DOES_NOT_EXIST',
      message: 'Registered Model with name=m not found',
    });
    expect((await call('DELETE', 'registered-models/delete', { name: 'n' })).status).toBe(200);
    await post('registered-models/create', { name: 'p', tags: [{ key: 'mlflow.prompt.is_prompt', value: 'true' }] });
    expect((await get('registered-models/search')).body).toEqual({});
    await post('registered-models/create', { name: 'plain' });
    const named = async (filter: string) => {
      const { body } = await get('registered-models/search', { filter });
      return ((body as { registered_models?: { name: string }[] }).registered_models ?? []).map(({ name }) => name);
    };
    // as the Python client asks when it is asked for everything
    expect(await named("tag.`mlflow.prompt.is_prompt` != 'true'")).toEqual(['plain']);
    expect(await named("name LIKE 'pl%' AND tag.`mlflow.prompt.is_prompt` != 'true'")).toEqual(['plain']);
    expect(await named("tag.`mlflow.prompt.is_prompt` != 'true' AND name = 'x'")).toEqual([]);
    expect(await named("tag.`mlflow.prompt.is_prompt` = 'true'")).toEqual(['p']);
  });

  test('the files of a proposed version are downloaded through its alias, which only approvers move by hand', async () => {
    const stored = await send({
      method: 'PUT',
      url: '/api/2.0/mlflow-artifacts/artifacts/0/model.onnx',
      payload: Buffer.from('onnx'),
    });
    expect(stored.status).toBe(200);
    const file = await server.tracking.artifact(database.read, project, '0/model.onnx');
    const sha256 = file?.sha256 ?? '';
    await database.write({ actor: 'user:test' }, (unit) =>
      server.registry.proposeVersion(unit, {
        project,
        model: 'late',
        digest: sha256,
        files: [{ path: 'model.onnx', sha256, sizeBytes: 4 }],
        runtime: 'onnx',
        alias: 'champion',
        checks: [],
      }),
    );
    const { body } = await get('model-versions/get-download-uri', { name: 'late', version: '1' });
    const path = String(body['artifact_uri']).replace('mlflow-artifacts:/', '');
    const proxy = '/api/2.0/mlflow-artifacts/artifacts';
    expect((await send({ method: 'GET', url: proxy, query: { path } })).body).toEqual({
      files: [{ path: 'model.onnx', is_dir: false, file_size: 4 }],
    });
    const url = `${proxy}/${path}/model.onnx`;
    expect((await inject({ method: 'GET', url })).body).toBe('onnx');
    principal = { id: 'token:editor', can: (permission) => permission === 'read' || permission === 'write' };
    const moved = await post('registered-models/alias', { name: 'late', alias: 'champion', version: '1' });
    expect(moved).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
    expect((await post('registered-models/alias', { name: 'late', alias: 'mine', version: '1' })).status).toBe(200);
  });

  test('who may only read is refused writes in the form of MLflow', async () => {
    principal = { id: 'token:viewer', can: (permission) => permission === 'read' || permission === 'public' };
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
});
