import { expect } from 'vitest';
import { aLocalPlane } from './local-plane-in-test.ts';
import { column, picked, types } from './rest-bodies.ts';
import { type RestPlane, refused } from './rest-plane.ts';
import { columnsBody, fixtureFolder } from './test-plane.ts';

const model = '/v2/models/{model}[/versions/{version}]';
const shared = ['systemsharedmemory', 'cudasharedmemory'].flatMap((kind) => [
  `GET /v2/${kind}[/region/{region}]/status`,
  `POST /v2/${kind}/region/{region}/register`,
  `POST /v2/${kind}[/region/{region}]/unregister`,
]);

interface Statistics {
  readonly name: string;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<
    Record<
      'success' | 'fail' | 'queue' | 'compute_input' | 'compute_infer' | 'compute_output',
      { readonly count: number; readonly ns: number }
    >
  >;
  readonly batch_stats: readonly object[];
}

async function namesAt(rest: RestPlane, path: string): Promise<readonly string[]> {
  return ((await rest.answered(path))['model_stats'] as readonly Statistics[]).map(({ name }) => name);
}

/** What each call answers. */
export const callProofs = (rest: RestPlane): Readonly<Record<string, () => Promise<void>>> => ({
  'GET /v2': async () => expect(await rest.answered('/v2')).toMatchObject({ name: 'tidemill', version: '0' }),
  'GET /v2/health/live': async () => expect(await rest.answered('/v2/health/live')).toEqual({ live: true }),
  'GET /v2/health/ready': async () => expect((await rest.call('/v2/health/ready')).status).toBe(503), // one model is held
  [`GET ${model}`]: async () => {
    expect(await rest.answered('/v2/models/m/versions/1')).toMatchObject({ name: 'm', platform: 'onnx_onnxruntime' });
    expect(await rest.answered('/projects/default/v2/models/m/')).toEqual(await rest.answered('/v2/models/m'));
  },
  [`GET ${model}/ready`]: async () => {
    expect(await rest.answered('/v2/models/m/ready')).toEqual({ name: 'm', ready: true });
    expect((await rest.call('/v2/models/held/versions/1/ready')).status).toBe(503);
  },
  [`POST ${model}/infer`]: async () => {
    const { status, headers, json } = await rest.infer('m/versions/1', columnsBody(3));
    expect([status, json['model_name'], json['model_version']]).toEqual([200, 'm', '1']);
    expect(headers.get('x-tidemill-revision')).toBe('c1');
    expect(headers.get('x-tidemill-prediction-id')).toMatch(/^[0-9a-f-]{36}$/);
  },
  [`POST ${model}/infer_stream`]: async () =>
    expect(await rest.events('/v2/models/gather/infer_stream', picked(1, { id: 'e' }))).toEqual([
      expect.objectContaining({ id: 'e', outputs: [{ name: 'picked', datatype: 'FP32', shape: [1], data: [20] }] }),
    ]),
  [`POST ${model}/generate`]: async () => {
    const text = '{"carrier":"UA","flight":9007199254740993,"distance":3}';
    const { json, text: answer } = await rest.call('/v2/models/columns/generate', text);
    expect(json).toMatchObject({ model_name: 'columns', score: 4, carrier_out: 'UA' });
    expect(answer).toContain('"flight_out":9007199254740993');
    const two = { id: 'g', carrier: ['UA', 'AA'], flight: [[1], [2]], distance: [3, null], temperature: 0.5 };
    expect(await rest.answered('/v2/models/m/generate', two)).toEqual({
      model_name: 'm',
      model_version: '1',
      id: 'g',
      score: [4, null],
    });
    await refused(rest.call('/v2/models/m/generate', { carrier: 'UA', flight: 1 }), 400, '"distance" is missing');
    await refused(rest.call('/v2/models/bc/generate', { x: [1, 2] }), 400, '2 values');
  },
  [`POST ${model}/generate_stream`]: async () =>
    expect(await rest.events('/v2/models/gather/generate_stream', { index: [0, 2] })).toEqual([
      { model_name: 'gather', model_version: 'gather', picked: [10, 30] },
    ]),
  [`GET ${model}/config`]: async () => {
    expect(await rest.answered('/v2/models/m/config')).toEqual({
      name: 'm',
      platform: 'onnx_onnxruntime',
      backend: 'onnxruntime',
      version_policy: { specific: { versions: [1] } },
      max_batch_size: 256,
      input: [
        { name: 'carrier', data_type: 'TYPE_STRING', dims: [1] },
        { name: 'flight', data_type: 'TYPE_INT64', dims: [1] },
        { name: 'distance', data_type: 'TYPE_FP32', dims: [1] },
      ],
      output: [{ name: 'score', data_type: 'TYPE_FP32', dims: [1] }],
      dynamic_batching: { max_queue_delay_microseconds: 0 },
      model_transaction_policy: { decoupled: false },
    });
    expect(await rest.answered('/v2/models/crowded/config')).toMatchObject({ max_batch_size: 0 });
  },
  [`GET ${model}/stats`]: async () => {
    const stats = async () =>
      ((await rest.answered('/v2/models/types/stats'))['model_stats'] as readonly Statistics[])[0] as Statistics;
    const before = await stats();
    expect((await rest.infer('types', types())).status).toBe(200);
    expect((await rest.infer('types', types(column('INT8', 'INT16', [1, 2])))).status).toBe(400);
    const after = await stats();
    expect(after.inference_count - before.inference_count).toBe(1);
    expect(after.execution_count - before.execution_count).toBe(1);
    for (const stage of ['success', 'queue', 'compute_input', 'compute_infer', 'compute_output'] as const) {
      expect([stage, after.inference_stats[stage].count - before.inference_stats[stage].count]).toEqual([stage, 1]);
      expect(after.inference_stats[stage].ns).toBeGreaterThan(before.inference_stats[stage].ns);
    }
    const { success, queue, compute_infer: inferred, fail } = after.inference_stats;
    expect(success.ns).toBeGreaterThanOrEqual(queue.ns + inferred.ns);
    expect(fail.count - before.inference_stats.fail.count).toBe(1);
    expect(after.batch_stats).toContainEqual(expect.objectContaining({ batch_size: 1 }));
  },
  'GET /v2/models/stats': async () => {
    expect(await namesAt(rest, '/v2/models/stats')).toEqual(expect.arrayContaining(['m', 'bc', 'gather']));
    expect(await namesAt(rest, '/projects/closed/v2/models/stats')).toEqual([]);
  },
  'POST /v2/repository/index': async () => {
    const index = async (body: string) =>
      ((await rest.answered('/v2/repository/index', body)) as unknown as readonly { readonly name: string }[]).toSorted(
        (a, b) => (a.name < b.name ? -1 : 1),
      );
    const all = await index('');
    expect(all).toContainEqual({ name: 'm', version: '1', state: 'READY', reason: '' });
    expect(all).toContainEqual({ name: 'held', version: 'held', state: 'LOADING', reason: '' });
    expect(all).toContainEqual({ name: 'waiting', state: 'UNAVAILABLE', reason: expect.stringContaining('declared') });
    expect(all).toContainEqual(
      expect.objectContaining({
        name: 'broken',
        state: 'UNAVAILABLE',
        reason: expect.stringContaining('cannot be loaded'),
      }),
    );
    expect(await index('{}')).toEqual(all);
    expect(new Set((await index('{"ready":true}')).map(({ name }) => name))).toEqual(
      new Set([
        'm',
        'bc',
        'columns',
        'small',
        'gather',
        'types',
        'half',
        'echo',
        'crowded',
        'hasty',
        'patient',
        'rated',
      ]),
    );
    await refused(rest.call('/v2/repository/index', '{"ready":1}'), 400, 'true or false');
    await refused(rest.call('/v2/repository/index', '{'), 400, 'no JSON');
  },
  'POST /v2/repository/models/{model}/load': async () => {
    await refused(rest.call('/v2/repository/models/m/load', {}), 400, 'tidemill apply');
    const { url } = await aLocalPlane(fixtureFolder);
    const load = async (body: string) => {
      const answer = await fetch(`${url}/v2/repository/models/gather/load`, { method: 'POST', body });
      return { status: answer.status, text: await answer.text() };
    };
    const ready = async () => (await fetch(`${url}/v2/models/gather/ready`)).status;
    expect(await ready()).toBe(404);
    const withConfig = await load('{"parameters":{"config":"{}"}}');
    expect(withConfig).toEqual({ status: 400, text: expect.stringContaining('not there yet') });
    expect(await load('')).toEqual({ status: 200, text: '' });
    expect(await ready()).toBe(200);
    expect((await fetch(`${url}/v2/repository/models/nope/load`, { method: 'POST' })).status).toBe(404);
  },
  'POST /v2/repository/models/{model}/unload': async () => {
    await refused(rest.call('/v2/repository/models/m/unload', {}), 400, 'tidemill apply');
    const { url } = await aLocalPlane(fixtureFolder, { only: ['gather'] });
    const body = '{"parameters":{"unload_dependents":true}}';
    const answer = await fetch(`${url}/v2/repository/models/gather/unload`, { method: 'POST', body });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
    expect((await fetch(`${url}/v2/models/gather/ready`)).status).toBe(404);
  },
  'GET /v2/logging': async () => expect(await rest.answered('/v2/logging')).toHaveProperty('log_verbose_level', 0),
  'POST /v2/logging': () => refused(rest.call('/v2/logging', {}), 400, 'only read here'),
  'GET /v2/trace/setting': async () =>
    expect(await rest.answered('/v2/trace/setting')).toHaveProperty('trace_level', ['OFF']),
  'POST /v2/trace/setting': () => refused(rest.call('/v2/trace/setting', {}), 400, 'only read here'),
  'GET /v2/models/{model}/trace/setting': async () => {
    expect(await rest.answered('/v2/models/m/trace/setting')).toHaveProperty('trace_level', ['OFF']);
    expect((await rest.call('/v2/models/nope/trace/setting')).status).toBe(404);
  },
  'POST /v2/models/{model}/trace/setting': () =>
    refused(rest.call('/v2/models/m/trace/setting', {}), 400, 'only read here'),
  ...Object.fromEntries(
    shared.map((what) => [
      what,
      async () => {
        const [method, path = ''] = what.split(' ');
        for (const full of [path.replace(/[[\]]/g, ''), path.replace(/\[.*?\]/, '')])
          await refused(
            rest.call(full.replace('{region}', 'r'), method === 'POST' ? {} : undefined),
            400,
            'shared memory',
          );
      },
    ]),
  ),
  'GET /': async () => expect(await rest.answered('/')).toMatchObject({ name: 'tidemill' }),
  'GET /health/live': async () => expect(await rest.answered('/health/live')).toEqual({ live: true }),
  'GET /health/ready': async () => expect((await rest.call('/health/ready')).headers.get('retry-after')).toBe('1'),
  'GET /metrics': async () => expect((await rest.call('/metrics')).text).toContain('tidemill_serving_requests_total'),
});
