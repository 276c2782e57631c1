import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases("MLflow's registry", (open) => {
  const { call, get, inject, post, send, state } = useMlflow(open);

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
    const file = await state.server.tracking.artifact(state.database.read, state.project, '0/model.onnx');
    const sha256 = file?.sha256 ?? '';
    await state.database.write({ actor: 'user:test' }, (unit) =>
      state.server.registry.proposeVersion(unit, {
        project: state.project,
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
    state.principal = { id: 'token:editor', can: (permission) => permission === 'read' || permission === 'write' };
    const moved = await post('registered-models/alias', { name: 'late', alias: 'champion', version: '1' });
    expect(moved).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
    expect((await post('registered-models/alias', { name: 'late', alias: 'mine', version: '1' })).status).toBe(200);
  });

  test('models and versions are described and tagged, and the newest of each stage is found', async () => {
    await post('registered-models/create', { name: 'm' });
    expect((await call('PATCH', 'registered-models/update', { name: 'm', description: 'd' })).body).toMatchObject({
      registered_model: { name: 'm', description: 'd' },
    });
    for (const source of ['s3://a', 's3://b']) await post('model-versions/create', { name: 'm', source });
    const version = { name: 'm', version: '2' };
    expect((await get('model-versions/get', version)).body).toMatchObject({
      model_version: { ...version, description: '' },
    });
    expect((await call('PATCH', 'model-versions/update', { ...version, description: 'second' })).body).toMatchObject({
      model_version: { ...version, description: 'second' },
    });
    await post('model-versions/transition-stage', { ...version, stage: 'Staging' });
    expect((await post('registered-models/get-latest-versions', { name: 'm' })).body).toMatchObject({
      model_versions: [{ version: '1' }, { version: '2', current_stage: 'Staging' }],
    });
    const staged = await get('registered-models/get-latest-versions', { name: 'm', stages: ['staging'] });
    expect(staged.body).toEqual({ model_versions: [expect.objectContaining({ version: '2' })] });
    const tag = { key: 'a', value: '1' };
    expect((await post('registered-models/set-tag', { name: 'm', ...tag })).body).toEqual({});
    expect((await post('model-versions/set-tag', { ...version, ...tag })).body).toEqual({});
    expect((await get('model-versions/get', version)).body).toMatchObject({ model_version: { tags: [tag] } });
    for (let time = 0; time < 2; time += 1)
      expect((await call('DELETE', 'registered-models/delete-tag', { name: 'm', key: 'a' })).status).toBe(200);
    await post('registered-models/alias', { name: 'm', alias: 'mine', version: '1' });
    for (let time = 0; time < 2; time += 1)
      expect((await call('DELETE', 'registered-models/alias', { name: 'm', alias: 'mine' })).status).toBe(200);
  });

  test('what cannot name a model, a version, a stage or an alias is said as MLflow says it', async () => {
    await post('registered-models/create', { name: 'm' });
    await post('model-versions/create', { name: 'm', source: 's3://bucket/a' });
    const refused = async (path: string, payload: object) => (await post(path, payload)).body.message;
    expect(await refused('registered-models/create', { name: 'a/b' })).toContain("Invalid model name 'a/b'. Names");
    expect(await refused('registered-models/create', { name: ' ' })).toContain('Missing value for required parameter');
    for (const [alias, words] of [
      ['Latest', "'latest' alias name (case insensitive) is reserved."],
      ['v12', "Version alias name 'v12' is reserved."],
      ['a b', "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."],
      ['x'.repeat(256), "'Registered model alias name' exceeds the maximum length of 255 characters"],
    ] as const)
      expect(await refused('registered-models/alias', { name: 'm', alias, version: '1' })).toBe(words);
    expect(await refused('registered-models/get-latest-versions', { name: 'm', stages: ['no'] })).toContain(
      'Invalid Model Version stage: no. Value must be one of None, Staging, Production, Archived.',
    );
    expect((await get('model-versions/get', { name: 'm', version: 'x' })).body.message).toBe(
      "Parameter 'version' must be an integer, got 'x'.",
    );
    expect((await get('registered-models/alias', { name: 'm', alias: 'latest' })).body).toMatchObject({
      model_version: { version: '1' },
    });
    expect((await post('registered-models/rename', { name: 'm', new_name: 'm' })).status).toBe(200);
    expect((await post('model-versions/create', { name: 'm', source: 'models:/none/1' })).status).toBe(404);
    const unknown = { name: 'm', source: 's3://bucket/b', model_id: 'm-none' };
    expect(await post('model-versions/create', unknown)).toMatchObject({
      status: 404,
      body: { message: "Logged model with ID 'm-none' not found" },
    });
  });

  test('every call that the table of registeredModels calls supported has answered', () => {
    expect(state.server.unanswered('registeredModels')).toEqual([]);
  });

  test('every call that the table of modelVersions calls supported has answered', () => {
    expect(state.server.unanswered('modelVersions')).toEqual([]);
  });
});
