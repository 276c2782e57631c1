import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { type Body, traceId, useTraces } from './testing/trace-test-client.ts';

describeDatabases("searches of MLflow's traces", (open) => {
  const { call, spans, tell, search, idsOf } = useTraces(open);

  test('filters find traces by what they are, say, hold and were linked to', async () => {
    await spans(1, [
      { id: 1, name: 'root' },
      {
        id: 2,
        parent: 1,
        name: 'llm',
        attributes: {
          'mlflow.spanType': { stringValue: 'LLM' },
          temperature: { doubleValue: 0.5 },
          top: { intValue: '3' },
          flag: { boolValue: true },
          quote: { stringValue: 'say "grün" now' },
        },
      },
    ]);
    await tell(1, { tags: { 'mlflow.traceName': 'one', env: 'prod', 'odd key': 'x'.repeat(100) } });
    await spans(2, [{ id: 1, name: 'llm', error: true }]);
    await tell(2, {
      state: 'ERROR',
      client_request_id: 'c-2',
      trace_metadata: { 'mlflow.trace.session': 's2' },
      tags: { 'mlflow.traceName': 'two', env: 'dev' },
    });
    await tell(3, { state: 'IN_PROGRESS', execution_duration: undefined, tags: {} });
    for (const [id, name, said] of [
      [1, 'good', { feedback: { value: true } }],
      [2, 'good', { feedback: { value: false } }],
      [1, 'score', { feedback: { value: 0.75 } }],
      [2, 'words', { expectation: { value: 'a b' } }],
    ] as const)
      await call('POST', `/${traceId(id)}/assessments`, {
        assessment: { assessment_name: name, source: { source_type: 'CODE' }, ...said },
      });
    await call(
      'POST',
      '/link-prompts',
      { trace_id: traceId(1), prompt_versions: [{ name: 'greet', version: '2' }] },
      '2.0',
    );

    const one = [traceId(1)];
    const two = [traceId(2)];
    const three = [traceId(3)];
    for (const [filter, ids] of [
      ['', [...three, ...two, ...one]],
      ["status = 'OK'", one],
      ["attributes.status IN ('OK', 'ERROR')", [...two, ...one]],
      ["trace.status NOT IN ('OK')", [...three, ...two]],
      ["name = 'one'", one],
      ["name ILIKE 'O%'", one],
      ["name LIKE 'O%'", []],
      ["name != 'one'", two],
      ['timestamp_ms >= 2000', [...three, ...two]],
      ['execution_time_ms = 1500 AND end_time_ms < 3000', one],
      [`request_id = '${traceId(3)}'`, three],
      ["client_request_id LIKE 'c%'", two],
      ["tag.env = 'prod'", one],
      ["tags.env != 'prod'", two],
      ['tag.env IS NULL', three],
      ['tags.env IS NOT NULL', [...two, ...one]],
      [`tag.\`odd key\` = '${'x'.repeat(100)}'`, one],
      [`tag.\`odd key\` = '${'x'.repeat(99)}'`, []],
      ["tag.`mlflow.traceName` = 'two'", two],
      ["metadata.`mlflow.trace.session` = 's2'", two],
      ['request_metadata.`mlflow.trace.session` IS NULL', [...three, ...one]],
      ["span.name = 'llm'", [...two, ...one]],
      ["span.name = 'llm' AND span.status = 'ERROR'", two],
      ["span.name = 'root' AND span.type = 'LLM'", []],
      ["span.type = 'LLM'", one],
      ["span.attributes.temperature = '0.5'", one],
      ["span.attributes.top = '3' AND span.attributes.flag = 'true'", one],
      ["span.attributes.temperature RLIKE '^0'", one],
      ["span.attributes.quote LIKE '%grün%'", one],
      [`trace.text LIKE '%say "grün" now%'`, one],
      ["span.content ILIKE '%SAY%'", one],
      ["span.content LIKE '%SAY%'", []],
      ["text LIKE '%kvlist_value%'", []],
      ["feedback.good = 'true'", one],
      ["feedback.good != 'true'", two],
      ['feedback.score > 0.5 AND feedback.score <= 0.75', one],
      ['feedback.score IS NULL', [...three, ...two]],
      ["expectation.words LIKE 'a%'", two],
      ["expectation.words RLIKE '[a-c] b$'", two],
      ["prompt = 'greet/2'", one],
      ["name RLIKE '^(one|two)$'", [...two, ...one]],
      ["tag.env RLIKE 'd$|v$'", [...two, ...one]],
      ["span.name RLIKE 'oo'", one],
      ["run_id = 'none'", []],
      ["issue.id = 'none'", []],
    ] as const)
      expect([filter, await idsOf(filter)]).toEqual([filter, ids]);

    expect(await idsOf('', { order_by: ['execution_time_ms DESC', 'timestamp_ms ASC'] })).toEqual([
      ...one,
      ...two,
      ...three,
    ]);
    expect(await idsOf('', { order_by: ['tag.env ASC'] })).toEqual([...two, ...one, ...three]);
    expect(await search('', { max_results: 501 })).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' });
    for (const orderBy of [undefined, ['name ASC']]) {
      const first = await search('', { max_results: 2, order_by: orderBy });
      const second = await search('', { max_results: 2, order_by: orderBy, page_token: first.next_page_token });
      expect([first.traces.length, second.traces.length, second.next_page_token]).toEqual([2, 1, undefined]);
      expect(await search('', { page_token: 'garbage', order_by: orderBy })).toMatchObject({
        error_code: 'INVALID_PARAMETER_VALUE',
      });
    }
    for (const filter of [
      "nothing = 'x'",
      'status > 3',
      "span.nothing = 'x'",
      "span.content = 'x'",
      "timestamp_ms = 'x'",
      "constructor.x = '1'",
      "prompt LIKE 'x'",
      "name RLIKE '(a'",
      'status',
      `tag.a = 'b' ${"AND tag.a = 'b' ".repeat(60)}`,
    ])
      expect([filter, (await search(filter)).error_code]).toEqual([filter, 'INVALID_PARAMETER_VALUE']);
  });

  test('figures over many traces: counts, times, tokens and costs, by name, model or time', async () => {
    for (const [number, input, ms] of [
      [1, 10, '1s'],
      [2, 20, '2s'],
      [3, 60, '9s'],
    ] as const) {
      await tell(number, {
        execution_duration: ms,
        state: number === 3 ? 'ERROR' : 'OK',
        tags: { 'mlflow.traceName': number === 3 ? 'slow' : 'fast', env: 'prod' },
        trace_metadata: {
          'mlflow.trace.session': 's',
          'mlflow.trace.tokenUsage': JSON.stringify({ input_tokens: input }),
        },
      });
      await spans(number, [
        {
          id: 1,
          name: 'llm',
          attributes: {
            'mlflow.llm.model': { stringValue: 'gpt' },
            'mlflow.llm.cost': { stringValue: `{"total_cost": ${input / 10}}` },
          },
        },
      ]);
      await call('POST', `/${traceId(number)}/assessments`, {
        assessment: { assessment_name: 'good', source: { source_type: 'CODE' }, feedback: { value: number !== 3 } },
      });
    }
    const ask = async (more: object): Promise<Body> => {
      const { body } = await call('POST', '/metrics', { experiment_ids: ['0'], view_type: 'TRACES', ...more });
      return body.data_points?.map(({ dimensions, values }: Body) => [dimensions, values]) ?? body;
    };
    const count = [{ aggregation_type: 'COUNT' }];
    expect(
      await ask({ metric_name: 'trace_count', aggregations: count, dimensions: ['trace_name', 'trace_status'] }),
    ).toEqual([
      [{ trace_name: 'fast', trace_status: 'OK' }, { COUNT: 2 }],
      [{ trace_name: 'slow', trace_status: 'ERROR' }, { COUNT: 1 }],
    ]);
    expect(await ask({ metric_name: 'session_count', aggregations: count })).toEqual([[{}, { COUNT: 1 }]]);
    const spread = [
      { aggregation_type: 'AVG' },
      { aggregation_type: 'PERCENTILE', percentile_value: 50 },
      { aggregation_type: 'PERCENTILE', percentile_value: 75 },
    ];
    expect(await ask({ metric_name: 'latency', aggregations: spread })).toEqual([
      [{}, { AVG: 4000, 'P50.0': 2000, 'P75.0': 5500 }],
    ]);
    expect(
      await ask({
        metric_name: 'input_tokens',
        aggregations: [{ aggregation_type: 'SUM' }],
        filters: ["trace.status = 'OK'", "trace.tag.env = 'prod'"],
      }),
    ).toEqual([[{}, { SUM: 30 }]]);
    expect(
      await ask({
        metric_name: 'trace_count',
        aggregations: count,
        time_interval_seconds: 2,
        start_time_ms: 0,
        end_time_ms: 10_000,
      }),
    ).toEqual([
      [{ time_bucket: '1970-01-01T00:00:00+00:00' }, { COUNT: 1 }],
      [{ time_bucket: '1970-01-01T00:00:02+00:00' }, { COUNT: 2 }],
    ]);
    expect(
      await ask({
        view_type: 'SPANS',
        metric_name: 'total_cost',
        aggregations: [{ aggregation_type: 'SUM' }],
        dimensions: ['span_model_name'],
        filters: ["span.name = 'llm'"],
      }),
    ).toEqual([[{ span_model_name: 'gpt' }, { SUM: 9 }]]);
    const judged = await ask({
      view_type: 'ASSESSMENTS',
      metric_name: 'assessment_value',
      aggregations: [{ aggregation_type: 'AVG' }],
      dimensions: ['assessment_name'],
    });
    expect(judged[0][1].AVG).toBeCloseTo(2 / 3);
    for (const odd of [
      { metric_name: 'none', aggregations: count },
      { metric_name: 'latency', aggregations: count },
      { metric_name: 'trace_count', aggregations: count, dimensions: ['span_name'] },
      { metric_name: 'trace_count', aggregations: count, filters: ["span.name = 'x'"] },
      { metric_name: 'trace_count', aggregations: count, time_interval_seconds: 5 },
      { metric_name: 'latency', aggregations: [{ aggregation_type: 'PERCENTILE', percentile_value: 101 }] },
    ])
      expect(await ask(odd)).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' });
    expect(
      (
        await call('POST', '/calculate-filter-correlation', {
          experiment_ids: ['0'],
          filter_string1: "status = 'OK'",
          filter_string2: "name = 'fast'",
        })
      ).body,
    ).toMatchObject({
      npmi: expect.closeTo(1),
      filter1_count: 2,
      filter2_count: 2,
      joint_count: 2,
      total_count: 3,
    });
    expect(
      (
        await call('POST', '/calculate-filter-correlation', {
          experiment_ids: ['0'],
          filter_string1: "status = 'OK'",
          filter_string2: "name = 'none'",
        })
      ).body.npmi,
    ).toBeUndefined();
  });

  test('no filter, order, id or body, however odd, is answered with an error of the server', async () => {
    await spans(1, [{ id: 1, attributes: { a: { stringValue: 'nul \0 and \ud800' } } }]);
    await tell(1, { tags: { odd: '\0\udc00' } });
    expect((await idsOf("trace.text LIKE '%nul%'")).length).toBe(1);
    const word = fc.constantFrom(
      'status',
      'tag',
      'span',
      'metadata',
      'feedback',
      '.',
      '`',
      "'",
      '"',
      '=',
      '!=',
      '>',
      'LIKE',
      'ILIKE',
      'RLIKE',
      'IN',
      'NOT',
      'IS',
      'NULL',
      'AND',
      '(',
      ')',
      ',',
      '1',
      '1e999',
      '-3',
      'name',
      'attributes',
      'content',
      'timestamp_ms',
      "'%a_'",
      "'[a'",
      '\0',
      '😀',
      '\ud800',
      'run_id',
      'prompt',
      "'a/b'",
    );
    const odd = fc.oneof(
      fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
      fc.string({ maxLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 30 }),
    );
    await fc.assert(
      fc.asyncProperty(odd, odd, fc.json({ maxDepth: 3 }), async (filter, order, json) => {
        const payload = { locations: [{ mlflow_experiment: { experiment_id: '0' } }], filter, order_by: [order] };
        const body: unknown = JSON.parse(json);
        for (const answer of [
          await call('POST', '/search', payload),
          await call('POST', '/search', { ...payload, order_by: [] }),
          await call('POST', '', { trace: { trace_info: body } }),
          await call('POST', '', {
            trace: {
              trace_info: {
                trace_id: order,
                trace_location: { mlflow_experiment: { experiment_id: '0' } },
                request_time: filter,
              },
            },
          }),
          await call('POST', `/${traceId(1)}/assessments`, {
            assessment: { assessment_name: filter, source: { source_id: order }, feedback: { value: body } },
          }),
          await call('POST', '/metrics', {
            experiment_ids: ['0'],
            view_type: 'TRACES',
            metric_name: 'trace_count',
            aggregations: [{ aggregation_type: 'COUNT' }],
            filters: [filter],
          }),
          await call('PATCH', `/${encodeURIComponent(order.replaceAll(/\p{Surrogate}/gu, ''))}/tags`, {
            key: filter,
            value: order,
          }),
        ]) {
          expect(answer.status).toBeLessThan(500);
          expect(JSON.stringify(answer.body)).not.toMatch(/select |traces_|sqlite|syntax error at/i);
        }
      }),
      { numRuns: 150 },
    );
  });
});
