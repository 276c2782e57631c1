import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases("MLflow's logged models", (open) => {
  const { call, createRun, get, post, send, state } = useMlflow(open);

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
    expect(await state.server.registry.version(state.database.read, state.project, 'm', 1)).toMatchObject({
      files: [{ path: 'MLmodel', sizeBytes: 11 }],
    });
    const graph = await state.server.lineage.trace(state.database.read, state.project, 'model:m@1', {
      direction: 'up',
    });
    expect(graph.nodes.map(({ ref }) => ref)).toEqual(
      expect.arrayContaining([`logged-model:${model.model_id}`, `tracking-run:${source_run_id}`]),
    );
    const copied = await post('model-versions/create', { name: 'm', source: 'models:/m/1' });
    expect(copied.body).toMatchObject({ model_version: { version: '2', run_id: source_run_id } });
    for (const source of ['/etc/passwd', 'file:///etc', 'mlflow-artifacts:/0/../../x', 'relative/path'])
      expect((await post('model-versions/create', { name: 'm', source })).status).toBe(400);
  });

  test('a logged model is registered as often as anybody likes, and notes its latest versions', async () => {
    const { body } = await post('logged-models', { experiment_id: '0', name: 'often' });
    const { model_id } = (body as never as { model: { info: { model_id: string } } }).model.info;
    await post('registered-models/create', { name: 'm' });
    const noted = async () => {
      const found = await get(`logged-models/${model_id}`);
      return JSON.parse(
        (found.body as never as { model: { info: { tags: [{ value: string }] } } }).model.info.tags[0].value,
      );
    };
    const older = Array.from({ length: 278 }, (_, n) => ({ name: 'mod', version: n })); // nearly 8000 characters
    for (const [value, kept] of [
      ['not JSON', 1],
      [JSON.stringify(older), 200],
    ] as const) {
      await call('PATCH', `logged-models/${model_id}/tags`, { tags: [{ key: 'mlflow.modelVersions', value }] });
      const made = await post('model-versions/create', { name: 'm', source: `models:/${model_id}` });
      expect(made.status).toBe(200);
      const note = await noted();
      expect(note.at(-1)).toMatchObject({ name: 'm' });
      expect(note.length).toBeGreaterThanOrEqual(kept);
    }
  });

  test('a logged model takes params and tags, is found by them and is gone when it is deleted', async () => {
    const { body } = await post('logged-models', {
      experiment_id: '0',
      name: 'found',
      tags: [{ key: 'a', value: '1' }],
    });
    const { model_id } = (body as never as { model: { info: { model_id: string } } }).model.info;
    const params = [{ key: 'depth', value: '3' }];
    expect(await post(`logged-models/${model_id}/params`, { params })).toEqual({ status: 200, body: {} });
    const tags = [{ key: 'a/b', value: '2' }];
    expect(await call('PATCH', `logged-models/${model_id}/tags`, { tags })).toEqual({ status: 200, body: {} });
    expect((await get(`logged-models/${model_id}`)).body).toMatchObject({
      model: { info: { tags: expect.arrayContaining(tags) } },
    });
    expect(await post(`logged-models/${model_id}/params`, { params })).toEqual({ status: 200, body: {} });
    expect((await post(`logged-models/${model_id}/params`, { params: [{ key: 'depth', value: '4' }] })).status).toBe(
      400,
    );
    await call('PATCH', `logged-models/${model_id}`, { status: 2 });
    const filter = "params.depth = '3' AND status = 'READY'";
    const query = { experiment_ids: ['0'], filter, order_by: [{ field_name: 'creation_timestamp', ascending: false }] };
    expect((await post('logged-models/search', query)).body).toMatchObject({ models: [{ info: { model_id } }] });
    expect(await call('DELETE', `logged-models/${model_id}/tags/${encodeURIComponent('a/b')}`, {})).toEqual({
      status: 200,
      body: {},
    });
    for (let time = 0; time < 2; time += 1)
      expect(await call('DELETE', `logged-models/${model_id}`, {})).toEqual({ status: 200, body: {} });
    expect((await call('DELETE', 'logged-models/m-none', {})).status).toBe(404);
    expect(await get(`logged-models/${model_id}`)).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
  });

  test('logged models are searched by what was measured of them on a data set', async () => {
    const create = async (name: string) => {
      const { body } = await post('logged-models', { experiment_id: '0', name });
      return (body as never as { model: { info: { model_id: string } } }).model.info.model_id;
    };
    const run_id = await createRun();
    const [good, bad] = [await create('good'), await create('bad')];
    const measure = (model_id: string, value: number, dataset_name: string) =>
      post('runs/log-metric', { run_id, model_id, key: 'acc', value, timestamp: 1, dataset_name, dataset_digest: 'x' });
    await measure(good, 0.9, 'test');
    await measure(bad, 0.2, 'test');
    await measure(bad, 0.9, 'train');
    const names = async (query: object) => {
      const { body } = await post('logged-models/search', { experiment_ids: ['0'], ...query });
      const { models = [] } = body as never as { models?: { info: { name: string } }[] };
      return models.map(({ info }) => info.name).toSorted();
    };
    const filter = 'metrics.acc > 0.5';
    expect(await names({ filter })).toEqual(['bad', 'good']);
    expect(await names({ filter, datasets: [{ dataset_name: 'test' }] })).toEqual(['good']);
    expect(await names({ filter, datasets: [{ dataset_name: 'train', dataset_digest: 'x' }] })).toEqual(['bad']);
    expect(await names({ datasets: [{ dataset_name: 'train' }] })).toEqual(['bad']);
    expect(await names({ datasets: [{ dataset_name: 'train', dataset_digest: 'y' }] })).toEqual([]);
    expect((await post('logged-models/search', { experiment_ids: ['0'], datasets: [{}] })).status).toBe(400);
    expect((await post('logged-models/search', {})).body.message).toContain("required parameter 'experiment_ids'");
  });

  test('every call that the table of loggedModels calls supported has answered', () => {
    expect(state.server.unanswered('loggedModels')).toEqual([]);
  });
});
