import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DataPlane } from '../data-plane.ts';
import { type FakeControlPlane, startFakeControlPlane } from '../testing/fake-control-plane.ts';
import { aControlPlane, aPlane, ready, revisions } from '../testing/plane-in-test.ts';
import {
  aHome,
  anEndpoint,
  buildTimeoutMs,
  columnsBody,
  columnsSignature,
  fixture,
  post,
  startTestPlane,
} from '../testing/test-plane.ts';
import { ownExtensions } from './server-routes.ts';

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

let control: FakeControlPlane;
let plane: DataPlane;
let base: string;

beforeAll(async () => {
  control = await startFakeControlPlane();
  const revision = (id: string, file: string, more = {}) => control.revision(id, fixture(file), more);
  const single = (name: string, file: string, more = {}) => anEndpoint([revision(name, file)], { name, ...more });
  const broken = control.revision('broken', fixture('make-fixtures.py'));
  control.publish({
    endpoints: [
      anEndpoint([revision('c1', 'columns-1.onnx', { modelRef: 'model:c@1', signature: columnsSignature })]),
      single('bc', 'breast-cancer.onnx', { limits: { maxRows: 3, maxBodyBytes: 4_096 } }),
      single('gather', 'gather.onnx'),
      single('types', 'datatypes.onnx'),
      single('closed', 'gather.onnx', {
        access: {
          tokens: [
            { digest: digestOf('right'), principal: 'token:t1' },
            { digest: digestOf('ended'), principal: 'token:t2', expiresAtMs: Date.now() },
          ],
        },
      }),
      anEndpoint([], { name: 'waiting', traffic: [] }),
      anEndpoint([broken], { name: 'broken' }),
      { ...anEndpoint([revision('other', 'gather.onnx')]), project: 'flights' },
      single('replay', 'gather.onnx', { replay: true }),
    ],
  });
  plane = await startTestPlane(control, aHome());
  base = plane.url;
  await control.reported(({ state }) => state === 'ready');
}, buildTimeoutMs);
afterAll(async () => {
  await plane.stop();
  await control.goAway();
});

const infer = (model: string, body: unknown, headers = {}) => post(`${base}/v2/models/${model}/infer`, body, headers);
const x = (shape: unknown, data: unknown, more = {}) => ({
  inputs: [{ name: 'x', shape, datatype: 'FP32', data, ...more }],
});
const index = (data: unknown, more = {}) => ({
  inputs: [{ name: 'index', shape: [1], datatype: 'INT64', data }],
  ...more,
});
const row = Array.from({ length: 30 }, (_, column) => column);
const get = async (path: string, method = 'GET') => {
  const response = await fetch(`${base}${path}`, { method });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
};

test('server, model and health answer as the protocol says', async () => {
  expect(await get('/v2')).toEqual({
    status: 200,
    json: { name: 'tidemill', version: '0', extensions: [...ownExtensions] },
  });
  for (const path of [
    '/health/live',
    '/health/ready',
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/m/ready',
    '/v2/models/m/versions/1/ready',
  ])
    expect([path, (await get(path)).status]).toEqual([path, 200]);
  expect((await get('/v2/models/m')).json).toEqual({
    name: 'm',
    versions: ['1'],
    platform: 'onnx_onnxruntime',
    inputs: columnsSignature.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: columnsSignature.outputs,
  });
});

test('the port itself says what it is and where its models are, to each caller those that it may call', async () => {
  const lookAt = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await (await fetch(`${base}/`, { headers })).json()) as {
      readonly models: readonly { readonly path: string }[];
    };
  };
  const open = await lookAt();
  expect(open).toMatchObject({ name: 'tidemill', says: expect.stringContaining('Open Inference Protocol v2') });
  expect(open.models).toContainEqual({
    project: 'flights',
    name: 'm',
    state: 'ready',
    path: '/projects/flights/v2/models/m',
  });
  const paths = ({ models }: Awaited<ReturnType<typeof lookAt>>) => models.map(({ path }) => path);
  expect(paths(open)).toContain('/v2/models/gather');
  expect(paths(open)).not.toContain('/v2/models/closed');
  expect(paths(await lookAt('right'))).toContain('/v2/models/closed');
  expect((await fetch(`${base}/`, { method: 'HEAD' })).status).toBe(200);
});

const errorAt = async (path: string, headers: Record<string, string> = {}) =>
  ((await (await fetch(`${base}${path}`, { headers })).json()) as { readonly error: string }).error;

test('a model that is not there is told with its project, and where it is instead', async () => {
  expect(await errorAt('/projects/flights/v2/models/gather')).toBe(
    'project "flights" serves no model "gather"; it is at /v2/models/gather',
  );
  expect(await errorAt('/projects/nowhere/v2/models/m')).toBe(
    'project "nowhere" serves no model "m"; it is at /v2/models/m and /projects/flights/v2/models/m',
  );
  expect(await errorAt('/v2/models/gathr')).toBe('project "default" serves no model "gathr"; did you mean "gather"?');
  // nobody is told of a model that they may not call
  const closed = '/projects/nowhere/v2/models/closed';
  expect(await errorAt(closed)).toBe('project "nowhere" serves no model "closed"; GET / lists what is served here');
  expect(await errorAt(closed, { authorization: 'Bearer right' })).toContain('it is at /v2/models/closed');
});

test('data may be flat or nested; the answer is flat, echoes the id and names revision and prediction', async () => {
  const flat = await infer('bc', { id: 'q', ...x([2, 30], [...row, ...row]) });
  const nested = await infer('bc', { id: 'q', ...x([2, 30], [row, row]) });
  expect(flat.status).toBe(200);
  expect(nested.json).toEqual(flat.json);
  expect(flat.json['id']).toBe('q');
  expect(flat.json.outputs?.map(({ name, shape }) => [name, shape])).toEqual([
    ['label', [2]],
    ['probabilities', [2, 2]],
  ]);
  expect(flat.headers.get('x-tidemill-revision')).toBe('bc');
  expect(flat.headers.get('x-tidemill-prediction-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect((await infer('bc', x([1, 30], row))).json).not.toHaveProperty('id');
});

test('fields come in any order, unknown ones are ignored, outputs are those asked for in that order', async () => {
  const body = {
    extra: [{ a: '}' }],
    outputs: [{ name: 'probabilities' }, { name: 'label' }],
    inputs: [{ data: [row], note: 1, datatype: 'FP32', shape: [1, 30], name: 'x' }],
  };
  expect((await infer('bc', body)).json.outputs?.map(({ name }) => name)).toEqual(['probabilities', 'label']);
});

test('every datatype comes back exactly, integers beyond 2^53 too', async () => {
  const data: Record<string, string> = {
    BOOL: '[true,false]',
    INT8: '[-128,127]',
    INT16: '[-32768,32767]',
    INT32: '[-2147483648,2147483647]',
    INT64: '[-9223372036854775808,9223372036854775807]',
    UINT8: '[0,255]',
    UINT16: '[0,65535]',
    UINT32: '[0,4294967295]',
    UINT64: '[9007199254740993,18446744073709551615]',
    FP32: '[1.5,-0.25]',
    FP64: '[0.1,1.7976931348623157e+308]',
    BYTES: '["","Zürich \\n \\"✈\\""]',
  };
  const inputs = Object.entries(data).map(
    ([name, values]) => `{"name":"${name}","shape":[1,2],"datatype":"${name}","data":${values}}`,
  );
  const { status, text } = await infer('types', `{"inputs":[${inputs.join(',')}]}`);
  expect(status).toBe(200);
  for (const [name, values] of Object.entries(data))
    expect(text).toContain(`{"name":"${name}_out","datatype":"${name}","shape":[1,2],"data":${values}}`);
});

test('no rows are a legal request', async () => {
  const { status, json } = await infer('bc', x([0, 30], []));
  expect([status, json.outputs?.map(({ shape, data }) => [shape, data])]).toEqual([
    200,
    [
      [[0], []],
      [[0, 2], []],
    ],
  ]);
});

const columnsOf = (columns: Record<string, unknown>) => ({
  inputs: columnsSignature.inputs.map(({ name, datatype }) => ({
    name,
    datatype,
    shape: [1, 1],
    data: [columns[name]],
  })),
});

test('null is NaN where the signature says nullable, and answered as null', async () => {
  const allowed = await infer('m', columnsOf({ carrier: 'UA', flight: 1, distance: null }));
  expect([allowed.status, allowed.json.outputs?.[0]?.data]).toEqual([200, [null]]);
  const refused = await infer('m', columnsOf({ carrier: null, flight: 1, distance: 1 }));
  expect([refused.status, refused.json.error]).toEqual([400, expect.stringContaining('carrier')]);
  expect((await infer('bc', x([1, 30], [null, ...row.slice(1)]))).status).toBe(400);
});

const badRequests: Record<string, readonly [model: string, body: unknown, says: string]> = {
  'malformed JSON': ['bc', '{"inputs": [', 'byte 12'],
  'an empty body': ['bc', '', 'found the end'],
  'something after the body': ['bc', `${JSON.stringify(x([1, 30], row))}]`, 'end of the body'],
  'a list instead of an object': ['bc', '[]', 'expected'],
  'no inputs': ['bc', {}, '"inputs"'],
  'a bare NaN': ['bc', JSON.stringify(x([1, 30], row)).replace('[0,1', '[NaN,1'), 'a number'],
  'text in FP32': ['bc', x([1, 30], ['a', ...row.slice(1)]), 'a number'],
  'a number with a leading zero': [
    'gather',
    '{"inputs":[{"name":"index","shape":[1],"datatype":"INT64","data":[01]}]}',
    'a number',
  ],
  'a fraction in INT64': ['gather', index([0.5]), 'an integer'],
  'INT64 past its range': [
    'gather',
    '{"inputs":[{"name":"index","shape":[1],"datatype":"INT64","data":[9223372036854775808]}]}',
    'INT64',
  ],
  'shape unlike the length of the data': ['bc', x([2, 30], row), '60 values'],
  'nested data unlike the shape': ['bc', x([2, 30], [row.slice(1), [...row, 1]]), 'shape'],
  'a wrong number of columns': ['bc', x([1, 29], row.slice(1)), '[-1, 30]'],
  'a wrong rank': ['bc', x([30], row), '[-1, 30]'],
  'a wrong datatype': ['bc', x([1, 30], row, { datatype: 'FP64' }), 'FP32'],
  'an unknown datatype': ['bc', x([1, 30], row, { datatype: 'FLOAT' }), 'FLOAT'],
  'a wrong input name': ['bc', x([1, 30], row, { name: 'y' }), '"x" is missing'],
  'an input twice': ['bc', { inputs: [...x([1, 30], row).inputs, ...x([1, 30], row).inputs] }, 'twice'],
  'a missing input': ['m', { inputs: columnsBody(1).inputs.slice(1) }, 'carrier'],
  'a negative dimension': ['bc', x([-1, 30], row), 'natural'],
  'a shape that is no list': ['bc', x('1x30', row), 'natural'],
  'a shape of 2^45 values': ['bc', x([2 ** 40, 30], row), 'more values than the body'],
  'a shape past 2^53': ['bc', x([2 ** 40, 2 ** 40], row), 'more values than the body'],
  'a value past UINT8': [
    'types',
    '{"inputs":[{"name":"UINT8","shape":[1,2],"datatype":"UINT8","data":[300,1]}]}',
    'UINT8',
  ],
  'a value past INT32': [
    'types',
    '{"inputs":[{"name":"INT32","shape":[1,2],"datatype":"INT32","data":[1099511627776,1]}]}',
    'INT32',
  ],
  'a value past FP32': ['bc', x([1, 30], [1e39, ...row.slice(1)]), 'FP32'],
  'an unknown output': ['bc', { ...x([1, 30], row), outputs: [{ name: 'odds' }] }, 'odds'],
  'too many rows': ['bc', x([4, 30], [...row, ...row, ...row, ...row]), '3 at once'],
  'brackets without end': ['bc', '['.repeat(4_000), 'expected'],
  'depth without end in an unknown field': ['bc', `{"a":${'['.repeat(4_000)}`, 'a value'],
  'keys for another number of rows': [
    'bc',
    { parameters: { keys: ['a', 'b'] }, ...x([1, 30], row) },
    '2 entries for 1 rows',
  ],
  'an event time without an offset': [
    'bc',
    { parameters: { event_times: '2013-01-01T00:00:00' }, ...x([1, 30], row) },
    'RFC 3339',
  ],
  'an event time far ahead': [
    'bc',
    { parameters: { event_times: [Date.now() + 4_000_000] }, ...x([1, 30], row) },
    '5 minutes ahead',
  ],
};
for (const [name, [model, body, says]] of Object.entries(badRequests))
  test(`${name}: 400 and the reason`, async () => {
    const { status, json } = await infer(model, body);
    expect([status, Object.keys(json)]).toEqual([400, ['error']]);
    expect(json.error).toContain(says);
  });

const timeIn = (ms: number) => ({ parameters: { event_times: [Date.now() + ms] } });

test('an event time slightly ahead is taken, any is by a replay', async () => {
  expect((await infer('gather', index([1], timeIn(60_000)))).status).toBe(200);
  expect((await infer('replay', index([1], timeIn(10 * 86_400_000)))).status).toBe(200);
});

test('unknown models, versions and paths are 404, a wrong method 405', async () => {
  for (const path of [
    '/v2/models/nope',
    '/v2/models/nope/ready',
    '/v2/models/m/versions/9',
    '/v2/models/m/versions/9/ready',
    '/v2/models/waiting',
    '/v2/nope',
    '/v2/models',
    '/v2/models/%',
    '/constructor',
  ])
    expect([path, await get(path)]).toEqual([path, { status: 404, json: { error: expect.any(String) } }]);
  expect((await infer('nope', index([1]))).status).toBe(404);
  expect((await infer('gather/versions/9', index([1]))).json.error).toContain('it has gather');
  expect((await infer('waiting', index([1]))).status).toBe(404);
  for (const [path, method] of [
    ['/v2/models/m/infer', 'GET'],
    ['/v2/models/m', 'DELETE'],
    ['/health/live', 'POST'],
  ] as const)
    expect(await get(path, method)).toEqual({ status: 405, json: { error: expect.any(String) } });
});

test('a model that cannot be loaded is 503 with the reason, and the others answer', async () => {
  const { status, json, headers } = await infer('broken', index([1]));
  expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  expect(json.error).toContain('cannot be loaded');
});

test('a model that raises is 500 without a stack, and its neighbours answer', async () => {
  const answers = await Promise.all([1, 9, 2].map((value) => infer('gather', index([value]))));
  expect(answers.map(({ status }) => status)).toEqual([200, 500, 200]);
  expect(answers[1]?.json.error).toMatch(/the model failed: .*idx=9/);
  expect(answers[1]?.text).not.toContain('at ');
});

test('a body over the limit is 413, declared or not', async () => {
  const body = JSON.stringify(x([1, 30], row)).padEnd(5_000);
  expect((await infer('bc', body)).status).toBe(413);
  const status = await new Promise((resolve, reject) => {
    const sent = request(
      `${base}/v2/models/bc/infer`,
      { method: 'POST', headers: { 'transfer-encoding': 'chunked' } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
  expect(status).toBe(413);
});

test('an endpoint with tokens takes those alone; an open one answers only pages of its own host', async () => {
  expect((await infer('closed', index([1]))).status).toBe(401);
  expect((await infer('closed', index([1]), { authorization: 'Bearer wrong' })).status).toBe(401);
  const ended = await infer('closed', index([1]), { authorization: 'Bearer ended' });
  expect([ended.status, ended.json.error]).toEqual([401, 'the token has ended; ask for a new one']);
  expect((await infer('closed', index([1]), { authorization: 'Bearer right' })).status).toBe(200);
  expect((await infer('gather', index([1]), { origin: 'https://evil.example' })).status).toBe(403);
});

test('a project is a prefix', async () => {
  const inProject = await post(`${base}/projects/flights/v2/models/m/infer`, index([2]));
  expect([inProject.status, inProject.json.outputs?.[0]?.data]).toEqual([200, [30]]);
  expect((await post(`${base}/projects/flights/v2/models/gather/infer`, index([2]))).status).toBe(404);
});

test('bytes that are no HTTP are answered with 400 and nothing breaks', async () => {
  const { port } = new URL(base);
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write('\x16\x03\x01 hello\r\n\r\n'));
    socket.on('data', (data) => resolve(data.toString()));
  });
  expect(answer).toContain('400');
  expect((await get('/health/live')).status).toBe(200);
});

test('metrics are in the Prometheus form, of the models that the caller may call and no names that callers made up', async () => {
  const text = await (await fetch(`${base}/metrics`)).text();
  expect(text).toMatch(
    /tidemill_serving_requests_total\{project="default",endpoint="gather",revision="gather",role="primary"\} [1-9]/,
  );
  expect(text).toMatch(/tidemill_serving_duration_seconds_bucket\{.*le="\+Inf"\} \d+/);
  expect(text).not.toContain('nope');
  expect(text).not.toContain('"closed"');
  const authorized = await fetch(`${base}/metrics`, { headers: { authorization: 'Bearer right' } });
  expect(await authorized.text()).toContain('endpoint="closed"');
});

test('who may call nothing hears the same of a model that is there and of one that is not', async () => {
  const guarded = await aControlPlane();
  const tokens = [{ digest: digestOf('ended'), principal: 'token:t', expiresAtMs: 1 }];
  const [r1] = revisions(guarded);
  guarded.publish({
    endpoints: [anEndpoint([r1], { access: { tokens } }), { ...anEndpoint([r1], { access: { tokens } }), name: 'n' }],
  });
  const { url } = await aPlane(guarded, aHome());
  await ready(guarded, 1);
  const ask = async (path: string, method: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}${path}`, { method, headers, ...(method === 'POST' && { body: '{' }) });
    return [response.status, await response.text()];
  };
  for (const [path, method] of [
    ['/v2/models/m', 'GET'],
    ['/v2/models/m/ready', 'GET'],
    ['/v2/models/m/versions/9', 'GET'],
    ['/v2/models/m/config', 'GET'],
    ['/v2/models/m/stats', 'GET'],
    ['/v2/models/m/trace/setting', 'GET'],
    ['/v2/models/m/infer', 'POST'],
    ['/v2/models/m/generate', 'POST'],
    ['/v2/repository/models/m/load', 'POST'],
  ] as const)
    for (const [token, says] of [
      [undefined, 'needs a token'],
      ['wrong', 'not one that'],
      ['ended', 'has ended'],
    ] as const) {
      const there = await ask(path, method, token);
      expect(there).toEqual([401, expect.stringContaining(says)]);
      expect(await ask(path.replace(/\/m(?=\/|$)/, '/nope'), method, token)).toEqual(there);
      expect(await ask(`/projects/other${path}`, method, token)).toEqual(there);
    }
  for (const [path, method] of [
    ['/v2/models/stats', 'GET'],
    ['/metrics', 'GET'],
    ['/v2/repository/index', 'POST'],
  ] as const)
    expect((await ask(path, method))[0]).toBe(401);
});
