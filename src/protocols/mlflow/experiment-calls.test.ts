import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases("MLflow's experiments", (open) => {
  const { call, createRun, get, post, send, state, makeProject } = useMlflow(open);
  const search = (payload: object) => call('POST', 'experiments/search-datasets', payload, '/ajax-api/2.0/mlflow');

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
    await makeProject('elsewhere');
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

  test('the data sets of experiments are listed, once for each context', async () => {
    const run_id = await createRun();
    const dataset = { name: 'd', digest: 'abc', source_type: 'local', source: 's' };
    const training = [{ key: 'mlflow.data.context', value: 'training' }];
    const datasets = [{ dataset, tags: training }, { dataset: { ...dataset, name: 'e' } }];
    await post('runs/log-inputs', { run_id, datasets });
    await post('runs/log-inputs', { run_id: await createRun(), datasets });
    expect((await search({ experiment_ids: ['0', '77'] })).body).toEqual({
      dataset_summaries: [
        { experiment_id: '0', name: 'd', digest: 'abc', context: 'training' },
        { experiment_id: '0', name: 'e', digest: 'abc' },
      ],
    });
    const many = Array.from({ length: 21 }, (_, index) => String(index));
    for (const experiment_ids of [[], many]) expect((await search({ experiment_ids })).status).toBe(400);
  });

  test('what an experiment cannot be is said as MLflow says it', async () => {
    const refused = async (path: string, payload: object) => (await post(path, payload)).body.message;
    expect(await refused('experiments/create', { name: 'x'.repeat(501) })).toContain(
      "'name' exceeds the maximum length of 500 characters",
    );
    expect(await refused('experiments/create', { name: 'e', artifact_location: 'runs:/x' })).toBe(
      "Artifact location cannot be a runs:/ URI. Given: 'runs:/x'",
    );
    expect(await refused('experiments/create', { name: 'e', artifact_location: 's3://b/x#y' })).toContain('fragments');
    expect(await refused('experiments/update', { experiment_id: '0' })).toContain("required parameter 'new_name'");
    expect(await refused('runs/create', { experiment_id: 'abc' })).toBe(
      "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
    );
    expect((await get('experiments/get', { experiment_id: 'abc' })).status).toBe(400);
    expect((await get('experiments/get', { experiment_id: '9'.repeat(30) })).status).toBe(404);
    expect((await post('experiments/set-experiment-tag', { experiment_id: '0', key: 'k' })).status).toBe(200);
    expect(await refused('experiments/set-experiment-tag', { experiment_id: '0', key: '', value: 'v' })).toContain(
      "Missing value for required parameter 'key'",
    );
    expect(await refused('experiments/search', { max_results: 0 })).toBe(
      "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer",
    );
    expect(await refused('experiments/search', { max_results: 50_001 })).toBe(
      "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000",
    );
  });

  test('every call that the table of experiments calls supported has answered', () => {
    expect(state.server.unanswered('experiments')).toEqual([]);
  });
});
