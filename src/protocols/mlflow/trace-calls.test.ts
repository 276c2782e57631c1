import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { type Body, traceId, useTraces } from './testing/trace-test-client.ts';

const usage = (input: number, output: number) => ({
  'mlflow.chat.tokenUsage': {
    kvlistValue: {
      values: [
        { key: 'input_tokens', value: { intValue: String(input) } },
        { key: 'output_tokens', value: { intValue: String(output) } },
        { key: 'total_tokens', value: { intValue: String(input + output) } },
      ],
    },
  },
});

describeDatabases("MLflow's traces", (open) => {
  const { state, makeProject, send, call, get, search, spans, tell, idsOf } = useTraces(open);

  test('spans alone make a trace: its time, state, name, previews and tokens are those of the tree', async () => {
    const model = { id: 3, parent: 2, ms: [1500, 1600], attributes: usage(5, 1) } as const;
    await spans(1, [{ id: 2, parent: 1, ms: [1200, 1700] }, model]);
    expect((await get(`/${traceId(1)}`)).body.trace.trace_info).toMatchObject({
      state: 'IN_PROGRESS',
      request_time: '1970-01-01T00:00:01.200Z',
      execution_duration: '0.5s',
      trace_metadata: { 'mlflow.trace.tokenUsage': '{"input_tokens":5,"output_tokens":1,"total_tokens":6}' },
    });
    const ask = { messages: [{ role: 'user', content: 'how far?' }] };
    await spans(1, [
      { id: 4, parent: 1, attributes: usage(1, 1) },
      // the parent of the model's span has counted what the model used
      { id: 2, parent: 1, ms: [1200, 1700], attributes: usage(7, 2) },
      {
        id: 1,
        name: 'root',
        ms: [1000, 3000],
        error: true,
        attributes: { 'mlflow.spanInputs': { stringValue: JSON.stringify(ask) }, 'session.id': { stringValue: 's' } },
      },
    ]);
    expect((await get(`/${traceId(1)}`)).body.trace.trace_info).toMatchObject({
      state: 'ERROR',
      request_time: '1970-01-01T00:00:01.000Z',
      execution_duration: '2s',
      request_preview: 'how far?',
      tags: {
        'mlflow.traceName': 'root',
        'mlflow.trace.spansLocation': 'TRACKING_STORE',
        'mlflow.artifactLocation': `mlflow-artifacts:/0/traces/${traceId(1)}/artifacts`,
      },
      trace_metadata: {
        'mlflow.trace.session': 's',
        'mlflow.trace.tokenUsage': '{"input_tokens":8,"output_tokens":3,"total_tokens":11}',
      },
    });
    const { body } = await get('/get', { trace_id: traceId(1) });
    expect(body.trace.spans.map(({ name }: { name: string }) => name)).toEqual(['root', 'span 4', 'span 2', 'span 3']);
    const events = (await state.database.read
      .query<{ events: { type: string; subject: string; project: string } }>()
      .selectFrom('events')
      .select('type')
      .where('subject', '=', `trace:${traceId(1)}`)
      .where('project', '=', state.project)
      .execute()) as readonly { type: string }[];
    expect(events).toEqual([{ type: 'trace.finished' }]);
  });

  test('what a client tells of its trace counts more than its spans, before and after', async () => {
    const told = {
      request_preview: 'told',
      trace_metadata: {
        'mlflow.trace.tokenUsage': '{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}',
        own: '1',
      },
      tags: { 'mlflow.traceName': 'told', env: 'prod' },
    };
    const root = {
      id: 1,
      name: 'root',
      ms: [9000, 9100] as const,
      attributes: { 'mlflow.spanInputs': { stringValue: 'x' } },
    };
    await spans(5, [root]);
    await tell(5, told);
    await spans(5, [root, { id: 2, parent: 1, attributes: { 'gen_ai.usage.input_tokens': { intValue: 90 } } }]);
    expect((await get(`/${traceId(5)}`)).body.trace.trace_info).toMatchObject({
      request_time: '1970-01-01T00:00:05.000Z',
      execution_duration: '1.5s',
      request_preview: 'told',
      tags: { 'mlflow.traceName': 'told', env: 'prod' },
      trace_metadata: { own: '1', 'mlflow.trace.tokenUsage': told.trace_metadata['mlflow.trace.tokenUsage'] },
    });
    // the same spans again are the same spans
    expect((await get('/batchGet', { trace_ids: [traceId(5), traceId(9)] })).body.traces[0].spans).toHaveLength(2);
  });

  test('a trace whose spans are still under way is waited for, and then said to be incomplete', async () => {
    await tell(3, { trace_metadata: { 'mlflow.trace.sizeStats': '{"num_spans": 2}' } });
    await spans(3, [{ id: 1 }]);
    const waiting = get('/get', { trace_id: traceId(3) });
    await spans(3, [{ id: 2, parent: 1 }]);
    expect((await waiting).body.trace.spans).toHaveLength(2);
    await tell(4, { trace_metadata: { 'mlflow.trace.sizeStats': '{"num_spans": 2}' } });
    expect((await get('/get', { trace_id: traceId(4), allow_partial: 'true' })).body.trace.trace_info.trace_id).toBe(
      traceId(4),
    );
    expect(await get('/get', { trace_id: traceId(4) })).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: expect.stringContaining('not fully exported') },
    });
    expect((await get('/batchGet', { trace_ids: traceId(4) })).body).toEqual({});
    expect(
      (await call('POST', '/batchGetInfos', { trace_ids: [traceId(4), 'tr-none'] })).body.trace_infos,
    ).toHaveLength(1);
  });

  test('whoever reads the spans of traces stands in the audit log, as over our own API', async () => {
    await tell(1);
    await spans(1, [{ id: 1 }]);
    for (const ask of [() => get('', {}, '3.0'), () => get(`/${traceId(1)}`), () => search("trace.name = 'x'")])
      await ask();
    expect(state.reads).toEqual([]); // they say what lists of traces say
    await get('/get', { trace_id: traceId(1) });
    await get('/batchGet', { trace_ids: [traceId(1), traceId(2), traceId(1), "no trace's id"] });
    expect(state.reads).toEqual([
      ['mlflow GET /3.0/mlflow/traces/get', `trace:${traceId(1)}`],
      ['mlflow GET /3.0/mlflow/traces/batchGet', `trace:${traceId(1)}`],
      ['mlflow GET /3.0/mlflow/traces/batchGet', `trace:${traceId(2)}`],
    ]);
  });

  test('many traces come in the order asked for, and few of their spans are in memory at once', async () => {
    const sizes = [1, 150, 100, 300, ...Array.from({ length: 60 }, () => 1)];
    for (const [at, size] of sizes.entries())
      await spans(
        at + 1,
        Array.from({ length: size }, (_, n) => ({ id: n + 1, ...(n > 0 && { parent: 1 }) })),
      );
    const asked = sizes.map((_, at) => traceId(at + 1)).toReversed();
    const { body } = await get('/batchGet', { trace_ids: [...asked, 'tr-none'], experiment_ids: ['0'] });
    expect(body.traces.map(({ trace_info }: Body) => trace_info.trace_id)).toEqual(asked);
    expect(body.traces.map((trace: Body) => trace.spans.length)).toEqual(sizes.toReversed());
    const parts: number[] = [];
    for await (const part of state.server.traces.tracesInParts(state.database.read, state.project, asked))
      parts.push(part.reduce((sum, trace) => sum + trace.spans.length, 0));
    expect(parts).toEqual([50, 10, 300, 100, 151]);
    expect((await get('/batchGet', { trace_ids: asked, experiment_ids: ['1'] })).body).toEqual({});
  });

  test('assessments are made, read, changed by a mask, replaced and removed', async () => {
    await tell(1);
    const path = `/${traceId(1)}/assessments`;
    const source = { source_type: 'HUMAN', source_id: 'ann' };
    const make = async (more: object) =>
      (await call('POST', path, { assessment: { assessment_name: 'good', source, ...more } })).body.assessment;
    const first = await make({
      feedback: { value: { a: [1, null] } },
      rationale: 'why',
      metadata: { k: 'v' },
      span_id: '12',
    });
    expect(first).toMatchObject({
      assessment_name: 'good',
      trace_id: traceId(1),
      source,
      feedback: { value: { a: [1, null] } },
      valid: true,
    });
    expect((await get(`${path}/${first.assessment_id}`)).body.assessment).toEqual(first);
    state.database.clock.advance(1000);
    const changed = await call('PATCH', `${path}/${first.assessment_id}`, {
      assessment: {
        feedback: { value: 'no', error: { error_code: 'E' } },
        rationale: 'new',
        metadata: { l: 'w' },
        assessment_name: 'unused',
      },
      update_mask: 'feedback,rationale,metadata',
    });
    expect(changed.body.assessment).toMatchObject({
      assessment_name: 'good',
      feedback: { value: 'no', error: { error_code: 'E' } },
      rationale: 'new',
      metadata: { k: 'v', l: 'w' },
      create_time: first.create_time,
    });
    expect(changed.body.assessment.last_update_time).not.toBe(first.last_update_time);
    const second = await make({ feedback: { value: true }, overrides: first.assessment_id });
    expect((await get(`${path}/${first.assessment_id}`)).body.assessment.valid).toBe(false);
    expect((await get(`/${traceId(1)}`)).body.trace.trace_info.assessments).toHaveLength(2);
    for (const _ of [1, 2]) expect((await call('DELETE', `${path}/${second.assessment_id}`, {})).status).toBe(200);
    expect((await get(`${path}/${first.assessment_id}`)).body.assessment.valid).toBe(true);

    const expectation = await make({
      expectation: { serialized_value: { serialization_format: 'JSON_FORMAT', value: '[1,{"b":2}]' } },
    });
    expect(expectation.expectation).toEqual({
      serialized_value: { serialization_format: 'JSON_FORMAT', value: '[1,{"b":2}]' },
    });
    for (const [status, method, at, payload] of [
      [404, 'POST', '/tr-none/assessments', { assessment: { assessment_name: 'a', source, feedback: { value: 1 } } }],
      [404, 'PATCH', `${path}/a-none`, { assessment: { rationale: 'x' }, update_mask: 'rationale' }],
      [
        404,
        'POST',
        path,
        { assessment: { assessment_name: 'a', source, feedback: { value: 1 }, overrides: 'a-none' } },
      ],
      [400, 'POST', path, { assessment: { assessment_name: 'a', source } }],
      [400, 'POST', path, { assessment: { source, feedback: { value: 1 } } }],
      [400, 'POST', path, {}],
      [
        400,
        'PATCH',
        `${path}/${first.assessment_id}`,
        { assessment: { expectation: { value: 1 } }, update_mask: 'expectation' },
      ],
      [400, 'PATCH', `${path}/${first.assessment_id}`, { assessment: { rationale: 'x' } }],
    ] as const)
      expect([at, (await call(method, at, payload)).status]).toEqual([at, status]);
  });

  test('clients of MLflow 2 begin and end a trace, find it, tag it and delete it', async () => {
    const { body } = await call(
      'POST',
      '',
      {
        experiment_id: '0',
        timestamp_ms: 1000,
        request_metadata: [{ key: 'm', value: '1' }],
        tags: [{ key: 'mlflow.traceName', value: 'old' }],
      },
      '2.0',
    );
    const id: string = body.trace_info.request_id;
    expect(body.trace_info).toMatchObject({ status: 'IN_PROGRESS', experiment_id: '0' });
    await call(
      'PATCH',
      `/${id}`,
      { timestamp_ms: 3500, status: 'OK', request_metadata: [{ key: 'n', value: '2' }], tags: [] },
      '2.0',
    );
    await call('PATCH', `/${id}/tags`, { key: 'team', value: 'ops' }, '2.0');
    expect((await get(`/${id}/info`, {}, '2.0')).body.trace_info).toMatchObject({
      status: 'OK',
      execution_time_ms: 2500,
      request_metadata: [
        { key: 'm', value: '1' },
        { key: 'n', value: '2' },
      ],
      tags: expect.arrayContaining([
        { key: 'team', value: 'ops' },
        { key: 'mlflow.traceName', value: 'old' },
      ]),
    });
    expect((await get('', { experiment_ids: '0', filter: "tags.team = 'ops'" }, '2.0')).body.traces).toHaveLength(1);
    expect((await call('DELETE', `/${id}/tags`, { key: 'team' }, '2.0')).status).toBe(200);
    expect((await call('DELETE', `/${id}/tags`, { key: 'team' }, '2.0')).body.error_code).toBe(
      'RESOURCE_DOES_NOT_EXIST',
    );
    for (const payload of [
      { experiment_id: '0' },
      { experiment_id: '0', request_ids: [id], max_timestamp_millis: 1 },
      { experiment_id: '0', max_timestamp_millis: 1, max_traces: 0 },
    ])
      expect((await call('POST', '/delete-traces', payload, '2.0')).body.error_code).toBe('INVALID_PARAMETER_VALUE');
    expect(
      (await call('POST', '/delete-traces', { experiment_id: '0', max_timestamp_millis: 999 }, '2.0')).body,
    ).toEqual({ traces_deleted: 0 });
    expect((await call('POST', '/delete-traces', { experiment_id: '0', request_ids: [id] })).body).toEqual({
      traces_deleted: 1,
    });
    expect((await get(`/${id}/info`, {}, '2.0')).status).toBe(404);
  });

  test('traces lead to the run, the model and the prompt that they came from, and those to their traces', async () => {
    const run = (await send({ method: 'POST', url: '/api/2.0/mlflow/runs/create', payload: { experiment_id: '0' } }))
      .body.run.info.run_id;
    await tell(1, {
      trace_metadata: { 'mlflow.sourceRun': run, 'mlflow.modelId': 'm-1' },
      tags: { 'mlflow.linkedPrompts': '[{"name": "greet", "version": "2"}]' },
    });
    await spans(2, [{ id: 1 }], { 'x-mlflow-run-id': run });
    await tell(3);
    expect(
      (await call('POST', '/link-to-run', { trace_ids: [traceId(3), 'tr-none'], run_id: run }, '2.0')).body,
    ).toEqual({});
    expect((await call('POST', '/link-to-run', { trace_ids: [traceId(3)], run_id: 'none' }, '2.0')).status).toBe(404);
    expect(await idsOf(`run_id = '${run}'`)).toEqual([traceId(3), traceId(1), traceId(2)]);
    expect(await idsOf("prompt = 'greet/2'")).toEqual([traceId(1)]);
    const up = await state.server.lineage.trace(state.database.read, state.project, `trace:${traceId(1)}`, {
      direction: 'up',
    });
    expect(up.nodes.map(({ ref }) => ref)).toEqual(
      expect.arrayContaining([`tracking-run:${run}`, 'logged-model:m-1', 'model:greet@2']),
    );
    const down = await state.server.lineage.trace(state.database.read, state.project, `tracking-run:${run}`, {
      direction: 'down',
    });
    expect(down.nodes.filter(({ ref }) => ref.startsWith('trace:'))).toHaveLength(3);
  });

  test('traces of one project are not those of another, though they have the same id', async () => {
    await tell(1, { tags: { 'mlflow.traceName': 'here' } });
    const here = state.project;
    state.project = `${here}-other`;
    await makeProject(state.project);
    expect((await get(`/${traceId(1)}`)).status).toBe(404);
    await tell(1, { tags: { 'mlflow.traceName': 'there' } });
    await call('POST', '/delete-traces', { experiment_id: '0', max_timestamp_millis: 9e15 });
    state.project = here;
    expect((await get(`/${traceId(1)}`)).body.trace.trace_info.tags['mlflow.traceName']).toBe('here');
  });

  test('our own list has the traces of all experiments that are not deleted, or of one', async () => {
    const create = (name: string) =>
      send({ method: 'POST', url: '/api/2.0/mlflow/experiments/create', payload: { name } });
    const experiment = (await create('other')).body.experiment_id;
    await spans(1, [{ id: 1 }]);
    await spans(2, [{ id: 1, error: true, attributes: { 'mlflow.spanType': { stringValue: 'LLM' } } }], {
      'x-mlflow-experiment-id': experiment,
    });
    const listed = async (query: Record<string, string> = {}): Promise<string[]> =>
      (await send({ method: 'GET', url: '/api/v1/traces', query })).body.items.map(({ id }: { id: string }) => id);
    expect((await listed()).toSorted()).toEqual([traceId(1), traceId(2)]);
    expect(await listed({ experiment })).toEqual([traceId(2)]);
    expect(await listed({ filter: "status = 'ERROR' AND span.type = 'LLM'" })).toEqual([traceId(2)]);
    expect(await listed({ experiment: '0', filter: "status = 'ERROR'" })).toEqual([]);
    await send({
      method: 'POST',
      url: '/api/2.0/mlflow/experiments/delete',
      payload: { experiment_id: experiment },
    });
    expect(await listed()).toEqual([traceId(1)]);
  });

  test('every call that the table names has been answered', async () => {
    await tell(1);
    await call('PATCH', `/${traceId(1)}/tags`, { key: 'a', value: 'b' });
    await call('DELETE', `/${traceId(1)}/tags`, { key: 'a' });
    const prompts = { trace_id: traceId(1), prompt_versions: [{ name: 'greet', version: '2' }] };
    await call('POST', '/link-prompts', prompts, '2.0');
    const aggregations = [{ aggregation_type: 'COUNT' }];
    await call('POST', '/metrics', {
      experiment_ids: ['0'],
      view_type: 'TRACES',
      metric_name: 'trace_count',
      aggregations,
    });
    const filters = { filter_string1: "status = 'OK'", filter_string2: "name = 'x'" };
    await call('POST', '/calculate-filter-correlation', { experiment_ids: ['0'], ...filters });
    await spans(1, [{ id: 1 }]);
    for (const version of ['2.0', '3.0'])
      await send({ method: 'GET', url: `/ajax-api/${version}/mlflow/get-trace-artifact?request_id=${traceId(1)}` });
    expect(state.server.unanswered('traces')).toEqual([]);
  });

  test('a trace of a broken clock is shown like the others, at the beginning or the end of time', async () => {
    for (const timestamp_ms of [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 300_000_000_000_000])
      expect((await call('POST', '', { experiment_id: '0', timestamp_ms }, '2.0')).status).toBe(200);
    const locations = [{ mlflow_experiment: { experiment_id: '0' } }];
    const { body } = await call('POST', '/search', { locations });
    const [first, last] = ['0000-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'];
    expect(body.traces.map((trace: Body) => trace.request_time)).toEqual([last, last, first]);
    expect((await send({ method: 'GET', url: '/api/v1/traces?experiment=0' })).body.items).toHaveLength(3);
    const figures = await call('POST', '/metrics', {
      experiment_ids: ['0'],
      view_type: 'TRACES',
      metric_name: 'trace_count',
      aggregations: [{ aggregation_type: 'COUNT' }],
      time_interval_seconds: 60,
      start_time_ms: -Number.MAX_SAFE_INTEGER,
      end_time_ms: Number.MAX_SAFE_INTEGER,
    });
    expect(figures).toMatchObject({ status: 200, body: { data_points: [{}, {}, {}] } });
  });
});
