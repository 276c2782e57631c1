import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '#platform/testing/database';
import { createMlflowTestServer, type MlflowTestServer } from '../mlflow/mlflow-test-server.ts';

/** A request as OpenTelemetry's own library for Python writes it: every kind of value, an event, a link, a child. */
const exported = Buffer.from(
  'CqYDChgKFgoMc2VydmljZS5uYW1lEgYKBHNob3ASiQMKBgoEc2hvcBK6AgoQAQIDBAUGBwgJCgsMDQ4PEBIIAQIDBAUGBwgaA2E9YioEcm9vdDACORXNhT3+nJcXQRX87Zb+nJcXShQKBHRleHQSDAoKZ3LDvG4g8J+YgEoJCgN5ZXMSAhABShIKA2ludBILGPv//////////wFKEwoFbGFyZ2USChiAgICAgICAgEBKEwoGZG91YmxlEgkhAAAAAAAA+D9KEAoDbmFuEgkhAAAAAAAA+H9KDQoFYnl0ZXMSBDoCAP9KBwoFZW1wdHlKEwoEbGlzdBILKgkKAhgBCgMKAWJKGwoDbWFwEhQyEgoQCgFrEgsyCQoHCgVpbm5lcloVCQFl91P+nJcXEgFlGgcKAW4SAhgCahwKEAECAwQFBgcICQoLDA0ODxASCAECAwQFBgcIegcSA2JhZBgChQEBAAAAEj8KEAECAwQFBgcICQoLDA0ODxASCAkJCQkJCQkJIggBAgMEBQYHCCoFY2hpbGQ5Fa57Q/6clxdBFY9xSf6clxcaAXg=',
  'base64',
);
const traceId = 'tr-0102030405060708090a0b0c0d0e0f10';
const protobuf = 'application/x-protobuf';

/** A length of up to 28 bits, as protobuf writes it. */
const varint = (length: number) => [0, 7, 14].map((shift) => ((length >> shift) & 0x7f) | 0x80).concat(length >> 21);

/** A message as a field of the one around it. */
const around = (message: Buffer, tag: number) =>
  Buffer.concat([Buffer.from([tag, ...varint(message.length)]), message]);

const asJson = (spans: readonly object[], resource: object = {}) =>
  JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });

describe('OTLP over HTTP', () => {
  let database: TestDatabase;
  let server: MlflowTestServer;

  beforeAll(async () => {
    database = await openTestDatabase();
    server = await createMlflowTestServer({ database, clock: database.clock, ids: database.ids });
  });
  afterAll(async () => {
    await server.app.close();
    await database.close();
  });

  const post = async (
    payload: Buffer | string,
    headers: Readonly<Record<string, string>> = {},
    project = 'default',
  ): Promise<{ readonly status: number; readonly type: string; readonly body: Buffer }> => {
    await database.write({ actor: 'user:test' }, (unit) => server.projects.ensure(unit, project));
    const answer = await server.app.inject({
      method: 'POST',
      url: `/projects/${project}/v1/traces`,
      payload,
      headers: { host: 'localhost', 'content-type': protobuf, 'x-mlflow-experiment-id': '0', ...headers },
    });
    return { status: answer.statusCode, type: String(answer.headers['content-type']), body: answer.rawPayload };
  };
  const spansOf = async (project: string) => {
    const [trace] = await server.traces.traces(database.read, project, [traceId]);
    return trace?.spans ?? [];
  };
  const span = { traceId: '0A'.repeat(16), spanId: '0b'.repeat(8), name: 'root', startTimeUnixNano: '1000000000' };

  test('protobuf is read to the last nanosecond, and answered by an empty message', async () => {
    expect(await post(exported, {}, 'whole')).toEqual({ status: 200, type: protobuf, body: Buffer.alloc(0) });
    const [root, child] = await spansOf('whole');
    expect(root).toEqual({
      traceId: traceId.slice(3),
      spanId: '0102030405060708',
      parentSpanId: undefined,
      name: 'root',
      kind: 2,
      startNs: 1_700_000_000_123_456_789n,
      endNs: 1_700_000_001_623_456_789n,
      attributes: [
        ['text', 'grün 😀'],
        ['yes', true],
        ['int', -5],
        ['large', { i: '4611686018427387904' }],
        ['double', { d: 1.5 }],
        ['nan', { d: 'NaN' }],
        ['bytes', { x: 'AP8=' }],
        ['empty', null],
        ['list', [1, 'b']],
        ['map', { m: [['k', { m: [['inner', null]] }]] }],
      ],
      events: [{ name: 'e', timeNs: 1_700_000_000_500_000_001n, attributes: [['n', 2]] }],
      links: [{ traceId: traceId.slice(3), spanId: '0102030405060708', attributes: [] }],
      status: { code: 'ERROR', message: 'bad' },
      traceState: 'a=b',
    });
    expect(child).toMatchObject({ name: 'child', parentSpanId: '0102030405060708' });
    const info = await server.traces.traceInfo(database.read, 'whole', traceId);
    expect(info).toMatchObject({ state: 'ERROR', durationMs: 1500, tags: { 'service.name': 'shop' } });
  });

  test('bodies may be compressed, but not beyond the limit', async () => {
    for (const [encoding, body] of [
      ['gzip', gzipSync(exported)],
      ['deflate', deflateSync(exported)],
      ['deflate', deflateRawSync(exported)],
      ['identity', exported],
    ] as const) {
      expect((await post(body, { 'content-encoding': encoding }, `packed-${body.length}`)).status).toBe(200);
      expect(await spansOf(`packed-${body.length}`)).toHaveLength(2);
    }
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024)); // 64 kB
    expect((await post(bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
    const manyEvents = Buffer.alloc(2_200_000);
    for (let at = 0; at < manyEvents.length; at += 2) manyEvents[at] = 0x5a; // each an event without anything
    const many = around(around(around(manyEvents, 0x12), 0x12), 0x0a);
    expect((await post(gzipSync(many), { 'content-encoding': 'gzip' })).status).toBe(413);
    const lists = `{"resourceSpans":[${'[],'.repeat(4_000_001)}{}]}`;
    expect((await post(lists, { 'content-type': 'application/json' })).status).toBe(413);
    expect((await post(exported, { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await post(exported, { 'content-encoding': 'br' })).status).toBe(400);
  });

  test('JSON is the same: ids in hexadecimal, integers as texts, and an answer in JSON', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    const attributes = [
      { key: 'i', value: { intValue: '9007199254740993' } },
      { key: 'd', value: { doubleValue: 1 } },
      { key: 'm', value: { kvlistValue: { values: [{ key: '__proto__', value: { boolValue: true } }] } } },
      { key: 'l', value: { arrayValue: { values: [{ stringValue: 'a' }, {}] } } },
    ];
    const answer = await post(asJson([{ ...span, attributes, unknown: 1 }]), headers, 'json');
    expect([answer.status, answer.type, answer.body.toString()]).toEqual([
      200,
      'application/json; charset=utf-8',
      '{}',
    ]);
    const [trace] = await server.traces.traces(database.read, 'json', [`tr-${'0a'.repeat(16)}`]);
    expect(trace?.spans[0]).toMatchObject({
      startNs: 1_000_000_000n,
      attributes: [
        ['i', { i: '9007199254740993' }],
        ['d', { d: 1 }],
        ['m', { m: [['__proto__', true]] }],
        ['l', ['a', null]],
      ],
    });
    expect((await post('{"resourceSpans": []}', headers)).status).toBe(200);
  });

  test('a span that cannot be kept costs itself alone, and the answer says so', async () => {
    const broken = [{ ...span, traceId: '00'.repeat(16) }, { ...span, spanId: 'x' }, span];
    const answer = await post(asJson(broken), { 'content-type': 'application/json' }, 'partial');
    expect(JSON.parse(answer.body.toString())).toEqual({
      partialSuccess: { rejectedSpans: '2', errorMessage: 'a trace id is 16 bytes that are not all zero' },
    });
    // the id of the first span's trace, cut by one byte, and what that takes off the lengths around it
    const zeroed = Buffer.from(exported);
    zeroed.fill(
      0,
      zeroed.indexOf(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9])),
      zeroed.indexOf(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9])) + 16,
    );
    const { status, body } = await post(zeroed, {}, 'partial');
    expect([status, body.subarray(2, 4)]).toEqual([200, Buffer.from([8, 1])]); // partial_success.rejected_spans = 1
    expect(body.toString()).toContain('a trace id is 16 bytes');
  });

  test('errors are statuses in the form of the request, and MLflow’s for its own client', async () => {
    for (const [headers, status, code] of [
      [{ 'x-mlflow-experiment-id': '' }, 400, 3],
      [{ 'x-mlflow-experiment-id': '77' }, 404, 5],
      [{ 'x-mlflow-experiment-id': "0' or 1=1" }, 404, 5],
    ] as const) {
      const answer = await post(exported, headers);
      expect([answer.status, answer.type, answer.body.subarray(0, 2)]).toEqual([
        status,
        protobuf,
        Buffer.from([8, code]),
      ]);
      const json = await post('{"resourceSpans": []}', { ...headers, 'content-type': 'application/json' });
      expect([json.status, JSON.parse(json.body.toString())]).toMatchObject(
        status === 400 ? [400, { code: 3 }] : [200, {}],
      );
    }
    const client = await post(exported, {
      'x-mlflow-experiment-id': '77',
      'user-agent': 'mlflow-python-client/3.17.2',
    });
    expect(JSON.parse(client.body.toString())).toEqual({
      error_code: 'RESOURCE_DOES_NOT_EXIST',
      message: 'No Experiment with id=77 exists',
    });
    expect((await post('text', { 'content-type': 'text/plain' })).status).toBe(400);
    expect(await server.traces.traceInfo(database.read, 'default', traceId)).toBeUndefined();
  });

  test('nothing that is no request is more than a bad request', async () => {
    const json = { 'content-type': 'application/json' };
    const deep = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${'{"arrayValue":{"values":['.repeat(5000)}${']}}'.repeat(5000)}}]}}]}`;
    expect((await post(deep, json)).status).toBe(400);
    expect((await post('['.repeat(200_000), json)).status).toBe(400);
    // an array in an array in an array …, each with its length before it
    let nested: Buffer = Buffer.from([0x18, 0x01]);
    for (let depth = 0; depth < 500; depth += 1) nested = wrap(42, wrap(10, nested));
    expect((await post(wrap(10, wrap(10, wrap(10, wrap(18, nested)))))).status).toBe(400);

    for (let length = 1; length < exported.length; length += 1) {
      const { status } = await post(exported.subarray(0, length), {}, 'cut');
      expect([length, status === 400 || status === 200]).toEqual([length, true]);
    }
    const flipped = fc.tuple(fc.nat(exported.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(exported);
      bytes[at] = byte;
      return bytes;
    });
    const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(fc.oneof(flipped, random), fc.json({ maxDepth: 4 }), async (bytes, text) => {
        expect([200, 400]).toContain((await post(bytes, {}, 'odd')).status);
        for (const body of [
          text,
          `{"resourceSpans":[${text}]}`,
          asJson([{ ...span, attributes: text, name: text }]),
          `{"resourceSpans":[{"scopeSpans":[{"spans":[${text}]}]}]}`,
        ])
          expect([200, 400]).toContain((await post(body, json, 'odd')).status);
      }),
      { numRuns: 200 },
    );
  });

  test('the endpoint that the table calls supported was answered', () => {
    const state = { server };
    expect(state.server.unanswered('otlp')).toEqual([]);
  });
});

/** A field of bytes: its tag, its length, itself. */
function wrap(tag: number, inner: Buffer): Buffer {
  const length: number[] = [];
  let left = inner.length;
  for (; left >= 0x80; left >>= 7) length.push((left & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([tag, ...length, left]), inner]);
}
