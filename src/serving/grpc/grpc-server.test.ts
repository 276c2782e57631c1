import { Client, credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTimeoutMs } from '../testing/test-plane.ts';
import type { GrpcAnswer } from './testing/grpc-client.ts';
import { type GrpcTestPlane, startGrpcTestPlane } from './testing/grpc-plane.ts';

let test1: GrpcTestPlane;
beforeAll(async () => {
  test1 = await startGrpcTestPlane();
}, buildTimeoutMs);
afterAll(() => test1.close());

const call = (...given: Parameters<GrpcTestPlane['client']['call']>) => test1.client.call(...given);
const codeOf = async (...given: Parameters<typeof call>) => (await call(...given)).code;
const withToken = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } });
const slow = (turns: number) => ({
  model_name: 'slow',
  inputs: [{ name: 'turns', datatype: 'INT64', shape: [1], contents: { int64_contents: [turns] } }],
});
const row = Array.from({ length: 30 }, (_, column) => column);
const raw = (values: readonly number[]) => Buffer.from(Float32Array.from(values).buffer);
const bc = (rows: number, more = {}) => ({
  model_name: 'bc',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 30] }],
  raw_input_contents: [raw(Array.from({ length: rows }, () => row).flat())],
  ...more,
});
const gather = (index: number | string, more = {}) => ({
  model_name: 'gather',
  inputs: [{ name: 'index', datatype: 'INT64', shape: [1], contents: { int64_contents: [index] } }],
  ...more,
});
const picked = ({ value }: GrpcAnswer) =>
  (value['outputs'] as { readonly contents: { readonly fp32_contents: number[] } }[])[0]?.contents.fp32_contents;

test('the server tells of itself and its models', async () => {
  expect((await call('ServerLive', {})).value).toEqual({ live: true });
  expect((await call('ServerReady', {})).value).toEqual({ ready: true });
  expect((await call('ServerMetadata', {})).value).toMatchObject({ name: 'tidemill', version: '0' });
  expect((await call('ModelReady', { name: 'm', version: '1' })).value).toEqual({ ready: true });
  expect((await call('ModelReady', { name: 'waiting' })).value).toEqual({ ready: false });
  expect((await call('ModelReady', { name: 'broken' })).value).toEqual({ ready: false });
  expect((await call('ModelReady', { name: 'nope' })).code).toBe(status.NOT_FOUND);
  expect((await call('ModelReady', { name: 'm', version: '9' })).code).toBe(status.NOT_FOUND);
  expect((await call('ModelMetadata', { name: 'm' })).value).toEqual({
    name: 'm',
    versions: ['1'],
    platform: 'onnx_onnxruntime',
    inputs: [
      { name: 'carrier', datatype: 'BYTES', shape: ['-1', '1'] },
      { name: 'flight', datatype: 'INT64', shape: ['-1', '1'] },
      { name: 'distance', datatype: 'FP32', shape: ['-1', '1'] },
    ],
    outputs: [{ name: 'score', datatype: 'FP32', shape: ['-1', '1'] }],
  });
  expect((await call('ModelConfig', { name: 'bc' })).value['config']).toMatchObject({
    name: 'bc',
    platform: 'onnx_onnxruntime',
    max_batch_size: 256,
    input: [{ name: 'x', data_type: 'TYPE_FP32', dims: ['30'] }],
    output: [
      { name: 'label', data_type: 'TYPE_INT64', dims: [] },
      { name: 'probabilities', data_type: 'TYPE_FP32', dims: ['2'] },
    ],
  });
});

test('the index names what the caller may call, by the names by which it may be asked', async () => {
  const { value } = await call('RepositoryIndex', {});
  const models = value['models'] as { readonly name: string; readonly state: string; readonly reason: string }[];
  const names = models.map(({ name, state }) => `${name} ${state}`);
  expect(names).toEqual(expect.arrayContaining(['bc READY', 'flights/m READY', 'waiting UNAVAILABLE']));
  expect(names.join()).not.toContain('closed');
  expect(models.find(({ name }) => name === 'broken')?.reason).toContain('cannot be loaded');
  const ready = (await call('RepositoryIndex', { ready: true })).value['models'] as typeof models;
  expect(ready.some(({ state }) => state !== 'READY')).toBe(false);
  const token = { metadata: { authorization: 'Bearer right' } };
  const more = (await call('RepositoryIndex', {}, token)).value['models'] as typeof models;
  expect(more.map(({ name }) => name)).toContain('closed');
});

test('statistics count what was answered and what failed', async () => {
  const of = async () =>
    ((await call('ModelStatistics', { name: 'flights/m' })).value['model_stats'] as Record<string, unknown>[])[0];
  const ask = (index: number) => call('ModelInfer', gather(index, { model_name: 'flights/m' }));
  await Promise.all([ask(1), ask(2), ask(9)]);
  expect(await of()).toMatchObject({
    name: 'flights/m',
    version: 'other',
    inference_count: '2',
    inference_stats: { success: { count: '2' }, fail: { count: '1' } },
  });
  expect((await call('ModelStatistics', { name: 'nope' })).code).toBe(status.NOT_FOUND);
  expect(((await call('ModelStatistics', {})).value['model_stats'] as unknown[]).length).toBeGreaterThan(3);
});

test('raw is answered raw and typed is answered typed, with the same numbers; each names its prediction', async () => {
  const asRaw = await call('ModelInfer', bc(2, { id: 'q' }));
  expect(asRaw.code).toBe(status.OK);
  expect(asRaw.value).toMatchObject({ model_name: 'bc', model_version: 'bc', id: 'q' });
  const [, rawProbabilities] = asRaw.value['raw_output_contents'] as Buffer[];
  const typed = await call('ModelInfer', {
    model_name: 'bc',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 30], contents: { fp32_contents: [...row, ...row] } }],
  });
  expect(typed.value['raw_output_contents']).toEqual([]);
  const [label, probabilities] = typed.value['outputs'] as {
    readonly shape: string[];
    readonly contents: Record<string, unknown[]>;
  }[];
  expect([label?.shape, probabilities?.shape]).toEqual([['2'], ['2', '2']]);
  expect(raw(probabilities?.contents['fp32_contents'] as number[])).toEqual(rawProbabilities);
  const id = asRaw.trailers['x-tidemill-prediction-id'];
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(asRaw.trailers['x-tidemill-revision']).toBe('bc');
  expect(asRaw.value['parameters']).toMatchObject({ prediction_id: { string_param: id } });
});

test('outputs are those asked for in that order, and fields that are not known are passed by', async () => {
  const { value } = await call('ModelInfer', bc(1, { outputs: [{ name: 'probabilities' }, { name: 'label' }] }));
  expect((value['outputs'] as { name: string }[]).map(({ name }) => name)).toEqual(['probabilities', 'label']);
  // field 99 as a varint, a group, eight bytes, four bytes
  const unknown = Buffer.from(`9806019b0608019c069906${'00'.repeat(8)}9d06${'00'.repeat(4)}`, 'hex');
  const request = Buffer.concat([unknown, Buffer.from('0a046e6f7065', 'hex')]);
  const answer = await test1.client.send('/inference.GRPCInferenceService/ModelInfer', request);
  expect([answer.code, answer.details]).toEqual([status.NOT_FOUND, expect.stringContaining('"nope"')]);
});

test('a project is named by metadata or before the model', async () => {
  const byName = await call('ModelInfer', gather(1, { model_name: 'flights/m' }));
  expect([byName.code, picked(byName)]).toEqual([0, [20]]);
  const metadata = { 'x-tidemill-project': 'flights' };
  expect(picked(await call('ModelInfer', gather(2, { model_name: 'm' }), { metadata }))).toEqual([30]);
  const wrong = await call('ModelInfer', gather(1, { model_name: 'flights/gather' }));
  expect([wrong.code, wrong.details]).toEqual([
    status.NOT_FOUND,
    'project "flights" serves no model "gather"; it is at gather',
  ]);
});

test('keys, ids and event times come by parameters and by metadata, and stand in the record', async () => {
  const at = Date.now();
  const metadata = { 'x-tidemill-key': 'k7', 'x-request-id': 'r7', 'x-tidemill-event-time': String(at) };
  const { trailers } = await call('ModelInfer', bc(1), { metadata });
  const byParameters = await call(
    'ModelInfer',
    bc(2, { id: 'own', parameters: { keys: { string_param: '["a","b"]' } } }),
  );
  test1.control.publish({ flush: 1 });
  await test1.control.reported(({ flushed }) => flushed >= 1);
  const recordOf = (answer: GrpcAnswer['trailers']) =>
    test1.control.records.find(({ predictionId }) => predictionId === answer['x-tidemill-prediction-id']);
  expect(recordOf(trailers)).toMatchObject({ keys: ['k7'], requestId: 'r7', eventTimesMs: [at] });
  expect(recordOf(byParameters.trailers)).toMatchObject({ keys: ['a', 'b'], requestId: 'own', rows: 2 });
});

const infer = (model: string, input: Record<string, unknown>, more = {}) => ({
  model_name: model,
  inputs: [input],
  ...more,
});
const index = (more: Record<string, unknown>) => ({ name: 'index', datatype: 'INT64', shape: [1], ...more });
const x = (more: Record<string, unknown>) => ({ name: 'x', datatype: 'FP32', shape: [1, 30], ...more });
const oneRow = { raw_input_contents: [raw(row)] };
const refused: Record<string, readonly [request: unknown, says: string]> = {
  'no model name': [{}, '""'],
  'a shape unlike the raw bytes': [infer('bc', x({ shape: [2, 30] }), oneRow), '[2, 30]'],
  'too many raw bytes': [infer('bc', x({ shape: [0, 30] }), oneRow), 'takes 0'],
  'a wrong number of columns': [infer('bc', x({ shape: [1, 29] }), { raw_input_contents: [raw(row.slice(1))] }), '30'],
  'a wrong datatype': [infer('bc', x({ datatype: 'INT32' }), oneRow), 'FP32'],
  'an unknown datatype': [infer('bc', x({ datatype: 'FLOAT' }), oneRow), 'FLOAT'],
  'a wrong name': [infer('bc', x({ name: 'y' }), oneRow), '"x" is missing'],
  'an input without values': [infer('bc', x({})), 'more values'],
  'a negative dimension': [infer('bc', x({ shape: [-1, 30] }), oneRow), 'negative'],
  'a shape of 2^45 values': [infer('bc', x({ shape: [2 ** 40, 30] }), oneRow), 'more values'],
  'a shape past 2^53': [infer('bc', x({ shape: [2 ** 40, 2 ** 40] }), oneRow), 'natural'],
  'seventeen dimensions': [infer('bc', x({ shape: row.slice(0, 17) }), oneRow), '16 dimensions'],
  'raw and typed mixed': [infer('bc', x({ contents: { fp32_contents: row } }), oneRow), 'one or the other'],
  'fewer raw contents than inputs': [{ ...bc(1), inputs: [x({}), x({ name: 'y' })] }, '1 raw_input_contents'],
  'typed values in the wrong field': [
    infer('gather', index({ contents: { int_contents: [1] } })),
    'belong into int64_contents',
  ],
  'too few typed values': [infer('gather', index({ shape: [2], contents: { int64_contents: [1] } })), 'holds 2'],
  'too many typed values': [infer('gather', index({ contents: { int64_contents: [1, 2] } })), 'holds 1'],
  'typed FP16': [infer('bc', x({ datatype: 'FP16', contents: { fp32_contents: row } })), 'raw_input_contents alone'],
  'a value past INT8': [
    infer('types', { name: 'INT8', datatype: 'INT8', shape: [1, 2], contents: { int_contents: [1, 128] } }),
    '128 is no value of INT8',
  ],
  'a value past UINT16': [
    infer('types', { name: 'U', datatype: 'UINT16', shape: [1], contents: { uint_contents: [65_536] } }),
    'UINT16',
  ],
  'a BOOL of 2': [
    infer('types', { name: 'BOOL', datatype: 'BOOL', shape: [1] }, { raw_input_contents: [Buffer.of(2)] }),
    'BOOL',
  ],
  'BYTES cut short': [
    infer(
      'types',
      { name: 'BYTES', datatype: 'BYTES', shape: [1] },
      { raw_input_contents: [Buffer.of(9, 0, 0, 0, 65)] },
    ),
    'length',
  ],
  'BYTES that are not UTF-8, for a model that takes texts': [
    {
      model_name: 'm',
      inputs: [
        { name: 'carrier', datatype: 'BYTES', shape: [1, 1] },
        { name: 'flight', datatype: 'INT64', shape: [1, 1] },
        { name: 'distance', datatype: 'FP32', shape: [1, 1] },
      ],
      raw_input_contents: [Buffer.of(1, 0, 0, 0, 255), Buffer.alloc(8), Buffer.alloc(4)],
    },
    'UTF-8',
  ],
  'an unknown output': [bc(1, { outputs: [{ name: 'odds' }] }), 'odds'],
  'too many rows': [bc(1_001), '1000 at once'],
  'a name without end': [bc(1, { id: 'q'.repeat(2_000) }), '1024'],
  'keys for another number of rows': [bc(2, { parameters: { keys: { string_param: '["a"]' } } }), '1 entries for 2'],
};
for (const [name, [request, says]] of Object.entries(refused))
  test(`${name}: refused, and why`, async () => {
    const { code, details } = await call('ModelInfer', request);
    expect([code, details]).toEqual([
      name === 'no model name' ? status.NOT_FOUND : status.INVALID_ARGUMENT,
      expect.stringContaining(says),
    ]);
  });

test('each failure has the status that is due to it', async () => {
  expect(await codeOf('ModelInfer', gather(1, { model_version: '9' }))).toBe(status.NOT_FOUND);
  expect(await codeOf('ModelInfer', gather(1, { model_name: 'waiting' }))).toBe(status.NOT_FOUND);
  expect(await codeOf('ModelInfer', gather(1, { model_name: 'broken' }))).toBe(status.UNAVAILABLE);
  expect(await codeOf('ModelInfer', gather(1, { model_name: 'small', id: 'q'.repeat(99) }))).toBe(
    status.RESOURCE_EXHAUSTED,
  );
  expect(await codeOf('ModelInfer', bc(10_000))).toBe(status.RESOURCE_EXHAUSTED);
  const closed = gather(1, { model_name: 'closed' });
  expect(await codeOf('ModelInfer', closed)).toBe(status.UNAUTHENTICATED);
  expect(await codeOf('ModelInfer', closed, withToken('wrong'))).toBe(status.UNAUTHENTICATED);
  expect(await codeOf('ModelInfer', closed, withToken('right'))).toBe(status.OK);
  expect(await codeOf('ModelMetadata', { name: 'closed' })).toBe(status.UNAUTHENTICATED);
  expect(await codeOf('ModelInfer', gather(1, { parameters: { sequence_id: { int64_param: 4 } } }))).toBe(
    status.UNIMPLEMENTED,
  );
});

test('a model that raises is INTERNAL without a stack, names its prediction, and its neighbours answer', async () => {
  const answers = await Promise.all([1, 9, 2].map((one) => call('ModelInfer', gather(one))));
  expect(answers.map(({ code }) => code)).toEqual([0, status.INTERNAL, 0]);
  expect(answers[1]?.details).toMatch(/^the model failed: .*idx=9/);
  expect(answers[1]?.details).not.toContain('at ');
  expect(answers[1]?.trailers['x-tidemill-prediction-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test('an open model answers callers that name this server as theirs', async () => {
  const client = new Client(test1.address, credentials.createInsecure(), { 'grpc.default_authority': 'evil.example' });
  const code = await new Promise((resolve) =>
    client.makeUnaryRequest(
      '/inference.GRPCInferenceService/ModelReady',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from('0a026263', 'hex'),
      (error) => resolve(error?.code),
    ),
  );
  client.close();
  expect(code).toBe(status.PERMISSION_DENIED);
});

test('what is not served is UNIMPLEMENTED in words', async () => {
  for (const [method, request] of [
    ['SystemSharedMemoryStatus', {}],
    ['SystemSharedMemoryRegister', { name: 'a' }],
    ['CudaSharedMemoryUnregister', { name: 'a' }],
    ['RepositoryModelLoad', { model_name: 'bc' }],
    ['RepositoryModelUnload', { model_name: 'bc' }],
    ['TraceSetting', { settings: { trace_level: { value: ['TIMESTAMPS'] } } }],
    ['LogSettings', { settings: { log_verbose_level: { uint32_param: 1 } } }],
  ] as const)
    expect([method, await call(method, request)]).toEqual([
      method,
      expect.objectContaining({ code: status.UNIMPLEMENTED, details: expect.stringMatching(/.{20}/) }),
    ]);
  expect((await call('TraceSetting', {})).value['settings']).toMatchObject({ trace_level: { value: ['OFF'] } });
  expect((await call('LogSettings', {})).value['settings']).toMatchObject({ log_error: { bool_param: true } });
  const shared = x({ parameters: { shared_memory_region: { string_param: 'r' } } });
  expect((await call('ModelInfer', infer('bc', shared))).code).toBe(status.UNIMPLEMENTED);
});

test('a call ends at its deadline, and one that is given up holds nobody up', async () => {
  const long = call('ModelInfer', slow(4_000));
  expect((await call('ModelInfer', slow(1), { timeoutMs: 20 })).code).toBe(status.DEADLINE_EXCEEDED);
  const given = await call('ModelInfer', slow(1), { started: (cancel) => setImmediate(cancel) });
  expect(given.code).toBe(status.CANCELLED);
  expect((await long).code).toBe(status.OK);
  expect((await call('ModelInfer', slow(1))).code).toBe(status.OK);
});
