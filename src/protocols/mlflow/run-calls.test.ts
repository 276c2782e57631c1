import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

const token = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');

describeDatabases("MLflow's runs", (open) => {
  const { call, createRun, get, makeProject, post, send, state } = useMlflow(open);

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

  const sample = (query: Record<string, string | string[]>) =>
    get('metrics/get-history-bulk-interval', { metric_key: 'm', ...query });

  test('histories of several runs come together, whole or sampled, for charts', async () => {
    const runIds = [await createRun(), await createRun()].toSorted();
    const valueOf = (run_id: string, step: number) => 100 * runIds.indexOf(run_id) + step;
    for (const run_id of runIds) {
      const metrics = Array.from({ length: 10 }, (_, step) => ({
        key: 'm',
        value: valueOf(run_id, step),
        timestamp: 5,
        step,
      }));
      await post('runs/log-batch', { run_id, metrics });
    }
    const bulk = { method: 'GET', url: '/ajax-api/2.0/mlflow/metrics/get-history-bulk' } as const;
    const all = await send({ ...bulk, query: { run_id: runIds.toReversed(), metric_key: 'm', max_results: '12' } });
    expect((all.body as never as { metrics: object[] }).metrics).toEqual(
      [...Array(10).keys(), 0, 1].map((step, index) => {
        const run_id = runIds[Math.floor(index / 10)] ?? '';
        return { key: 'm', value: valueOf(run_id, step), timestamp: 5, step, run_id };
      }),
    );
    expect((await send({ ...bulk, query: { metric_key: 'm' } })).status).toBe(400);
    const tooMany = Array.from({ length: 101 }, () => runIds[0] ?? '');
    expect((await send({ ...bulk, query: { run_id: tooMany, metric_key: 'm' } })).status).toBe(400);

    const { body } = await sample({ run_ids: runIds, max_results: '3' });
    expect((body as never as { metrics: { step: number; run_id: string }[] }).metrics).toMatchObject(
      runIds.flatMap((run_id) => [0, 4, 9].map((step) => ({ run_id, step, value: valueOf(run_id, step) }))),
    );
    const part = await sample({ run_ids: runIds.slice(0, 1), max_results: '2', start_step: '3', end_step: '6' });
    expect(part.body).toMatchObject({ metrics: [{ step: 3 }, { step: 6 }] });
    for (const bad of [{ start_step: '3' }, { start_step: '3', end_step: '2' }, { max_results: '2501' }])
      expect(await sample({ run_ids: runIds, ...bad })).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_PARAMETER_VALUE' },
      });
  });

  test('a page token that was not made for the request is refused', async () => {
    const run_id = await createRun();
    await createRun();
    const page = { experiment_ids: ['0'], max_results: 1 };
    const page_token = (await post('runs/search', page)).body['next_page_token'];
    const [first, second] = [
      await post('runs/search', { ...page, page_token: '' }),
      await post('runs/search', { ...page, page_token }),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.body['runs']).not.toEqual(second.body['runs']);
    for (const garbage of [
      'x',
      token({ offset: 1 }),
      token([[0, "' or 1=1"]]),
      token([
        [0, 1e300],
        [0, 'a'],
      ]),
      token([[0, 5], [0, 'a'], []]),
    ])
      expect(await post('runs/search', { ...page, page_token: garbage })).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_PARAMETER_VALUE' },
      });
    expect((await post('runs/search', { ...page, page_token, order_by: ['metrics.m'] })).status).toBe(400);
    for (const garbage of ['x', token([1, 2]), token([1.5, 0, 0, 0]), token(['a', 0, 0, 0])])
      expect((await get('metrics/get-history', { run_id, metric_key: 'm', page_token: garbage })).status).toBe(400);
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

  test('tags of a run are set and deleted; the tag of the name renames it; a restored run is written to again', async () => {
    const run_id = await createRun();
    await post('runs/set-tag', { run_id, key: 'mlflow.runName', value: 'renamed' });
    expect((await get('runs/get', { run_id })).body).toMatchObject({ run: { info: { run_name: 'renamed' } } });
    await post('runs/set-tag', { run_id, key: 'a', value: '1' });
    expect(await post('runs/delete-tag', { run_id, key: 'a' })).toEqual({ status: 200, body: {} });
    expect(await post('runs/delete-tag', { run_id, key: 'a' })).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: expect.stringContaining('No tag with name: a') },
    });
    await post('runs/delete', { run_id });
    expect(await post('runs/restore', { run_id })).toEqual({ status: 200, body: {} });
    expect((await post('runs/set-tag', { run_id, key: 'a', value: '2' })).status).toBe(200);
  });

  test('data sets and models that went into a run and came out of it are on the run, each once', async () => {
    const run_id = await createRun();
    const dataset = { name: 'd', digest: 'abc', source_type: 'local', source: '{"uri":"x"}', schema: '{}' };
    const tags = [{ key: 'mlflow.data.context', value: 'training' }];
    const inputs = { run_id, datasets: [{ dataset, tags }], models: [{ model_id: `m-${'0'.repeat(32)}` }] };
    for (let time = 0; time < 2; time += 1)
      expect(await post('runs/log-inputs', inputs)).toEqual({ status: 200, body: {} });
    const model_id = `m-${'1'.repeat(32)}`;
    expect(await post('runs/outputs', { run_id, models: [{ model_id, step: '7' }] })).toEqual({
      status: 200,
      body: {},
    });
    expect((await get('runs/get', { run_id })).body).toMatchObject({
      run: {
        inputs: { dataset_inputs: [{ dataset, tags }], model_inputs: [{ model_id: `m-${'0'.repeat(32)}` }] },
        outputs: { model_outputs: [{ model_id, step: 7 }] },
      },
    });
  });

  test('a data set that a run has already keeps the tags of the first time', async () => {
    const run_id = await createRun();
    const dataset = { name: 'd', digest: 'abc', source_type: 'local', source: '{"uri":"x"}' };
    const first = { dataset, tags: [{ key: 'mlflow.data.context', value: 'train' }] };
    const second = {
      dataset,
      tags: [
        { key: 'mlflow.data.context', value: 'eval' },
        { key: 'more', value: '1' },
      ],
    };
    await post('runs/log-inputs', { run_id, datasets: [first, second] });
    await post('runs/log-inputs', { run_id, datasets: [second] });
    expect((await get('runs/get', { run_id })).body).toMatchObject({ run: { inputs: { dataset_inputs: [first] } } });
  });

  test('old clients note the models that they log in a tag', async () => {
    const run_id = await createRun();
    const model = (artifact_path: string, length: number) =>
      JSON.stringify({ run_id, artifact_path, flavors: { x: 'x'.repeat(length) }, utc_time_created: 'now' });
    for (const artifact_path of ['a', 'b'])
      await post('runs/log-model', { run_id, model_json: model(artifact_path, 3) });
    const { body } = await get('runs/get', { run_id });
    const { tags } = (body as never as { run: { data: { tags: { key: string; value: string }[] } } }).run.data;
    const history = tags.find(({ key }) => key === 'mlflow.log-model.history')?.value ?? '';
    expect(JSON.parse(history)).toMatchObject([{ artifact_path: 'a' }, { artifact_path: 'b' }]);
    for (const model_json of ['[', '[]', '{}', 'null', '"x"'])
      expect((await post('runs/log-model', { run_id, model_json })).status).toBe(400);
    // longer than a tag that is logged may be: the next one must still find the list
    for (let time = 0; time < 2; time += 1)
      expect((await post('runs/log-model', { run_id, model_json: model('long', 9000) })).status).toBe(200);
    await post('runs/set-tag', { run_id, key: 'mlflow.log-model.history', value: 'no list' });
    expect((await post('runs/log-model', { run_id, model_json: model('c', 3) })).status).toBe(200);
  });

  test('deleting and restoring may be sent again, as a client does whose answer was lost', async () => {
    const run_id = await createRun();
    for (const path of ['runs/delete', 'runs/delete', 'runs/restore', 'runs/restore'])
      expect(await post(path, { run_id })).toEqual({ status: 200, body: {} });
    expect((await post('runs/delete', { run_id: 'none' })).status).toBe(404);
  });

  test('tags that a run starts with may have any key, as programs rely on; later ones may not', async () => {
    const tags = [{ key: 'a$b', value: 'x' }];
    const { status, body } = await post('runs/create', { experiment_id: '0', tags });
    expect(status).toBe(200);
    const { run } = body as never as { run: { info: { run_id: string } } };
    expect((await get('runs/get', { run_id: run.info.run_id })).body).toMatchObject({
      run: { data: { tags: expect.arrayContaining(tags) } },
    });
    expect((await post('runs/set-tag', { run_id: run.info.run_id, ...tags[0] })).body.message).toContain(
      'Invalid value "a$b" for parameter \'key\' supplied: Names may only contain',
    );
  });

  test('a metric of a logged model that is not there is refused whole, one of another project as well', async () => {
    const run_id = await createRun();
    await makeProject('other');
    const { body } = await call('POST', 'logged-models', { experiment_id: '0' }, '/projects/other/api/2.0/mlflow');
    const { model_id: foreign } = (body as never as { model: { info: { model_id: string } } }).model.info;
    const metric = { run_id, key: 'm', value: 1, timestamp: 1 };
    for (const model_id of ['m-none', foreign])
      expect(await post('runs/log-metric', { ...metric, model_id })).toEqual({
        status: 404,
        body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: `Logged model with ID '${model_id}' not found.` },
      });
    expect((await get('metrics/get-history', { run_id, metric_key: 'm' })).body).toEqual({});
    expect((await post('runs/log-metric', { ...metric, dataset_name: 'd' })).body.message).toBe(
      'Both dataset_name and dataset_digest must be provided if one is provided',
    );
  });

  test('a batch is bound by its number of entries, not by its bytes, as in MLflow', async () => {
    const run_id = await createRun();
    const tags = Array.from({ length: 100 }, (_, index) => ({ key: `t${index}`, value: 'x'.repeat(8000) }));
    const params = Array.from({ length: 100 }, (_, index) => ({ key: `p${index}`, value: 'x'.repeat(6000) }));
    expect(await post('runs/log-batch', { run_id, tags, params })).toEqual({ status: 200, body: {} });
    const many = [...params, { key: 'one more', value: '' }];
    expect((await post('runs/log-batch', { run_id, params: many })).body.message).toContain('at most 100 params');
  });

  test('every call that the table of runs calls supported has answered', () => {
    expect(state.server.unanswered('runs')).toEqual([]);
  });
});
