import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases("MLflow's experiments", (open) => {
  const { call, createRun, get, post, send, state } = useMlflow(open);

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

  test('tags of an experiment are set, found by, and deleted; a missing one is said to be missing', async () => {
    const tag = { experiment_id: '0', key: 'team', value: 'ops' };
    expect(await post('experiments/set-experiment-tag', tag)).toEqual({ status: 200, body: {} });
    const found = await get('experiments/search', { max_results: '10', filter: "tags.team = 'ops'" });
    expect(found.body).toEqual({
      experiments: [expect.objectContaining({ experiment_id: '0', tags: [{ key: 'team', value: 'ops' }] })],
    });
    const name = { experiment_id: '0', key: 'team' };
    expect((await post('experiments/delete-experiment-tag', name)).status).toBe(200);
    expect(await post('experiments/delete-experiment-tag', name)).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
  });

  test('every call that the table of experiments calls supported has answered', () => {
    expect(state.server.unanswered('experiments')).toEqual([]);
  });
});
