import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { binaryRequest } from '../testing/binary-request.ts';
import { many, row, types, x } from '../testing/rest-bodies.ts';
import { createRestPlane } from '../testing/rest-plane.ts';
import { buildTimeoutMs, columnsBody } from '../testing/test-plane.ts';

const rest = createRestPlane();
beforeAll(() => rest.start(), buildTimeoutMs);
afterAll(() => rest.stop());

/** A JSON value with one of its parts put in the place of another, left out, or replaced. */
function mutate(value: unknown, pick: (upTo: number) => number, other: unknown): unknown {
  if (Array.isArray(value) && value.length > 0 && pick(4) > 0) {
    const at = pick(value.length);
    return pick(5) === 0 ? value.toSpliced(at, 1) : value.with(at, mutate(value[at], pick, other));
  }
  if (typeof value === 'object' && value !== null && pick(5) > 0) {
    const keys = Object.keys(value);
    const key = keys[pick(keys.length)] ?? 'x';
    const { [key]: chosen, ...others } = value as Record<string, unknown>;
    return pick(6) === 0 ? others : { ...others, [key]: mutate(chosen, pick, other) };
  }
  return other;
}

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(-1, 0, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, '', 'FP16', 'BYTES', 'FP32', [[]], {}, null, true),
  fc.constantFrom({ binary_data_size: 8 }, { binary_data: true }, { shared_memory_region: 'r' }, { sequence_id: 1 }),
);
const bases = [
  { path: '/v2/models/types/infer', body: types() },
  { path: '/v2/models/bc/infer', body: { id: 'i', ...x([1, 30], [row]), outputs: [{ name: 'label' }] } },
  { path: '/v2/models/bc/infer_stream', body: x([1, 30], row) },
  { path: '/v2/models/m/infer', body: { parameters: { keys: ['k'], event_times: [1] }, ...columnsBody(1) } },
  { path: '/v2/models/m/generate', body: { carrier: 'UA', flight: 1, distance: [1] } },
  {
    path: '/endpoints/m/invocations',
    body: { dataframe_split: { columns: ['distance', 'carrier', 'flight'], data: [[1.5, 'UA', 1]] } },
  },
  { path: '/endpoints/bc/invocations', body: { inputs: { x: [row] }, params: { keys: ['k'] } } },
  { path: '/v1/models/m:predict', body: { instances: [{ carrier: 'UA', flight: 1, distance: [1] }] } },
  { path: '/v2/repository/index', body: { ready: true } },
  { path: '/v2/repository/models/m/load', body: { parameters: {} } },
] as const;
const jsonBody = { 'content-type': 'application/json' };
/** What is answered of these whatever the bytes; a model may refuse its input too, none of these fails on any. */
const foreseen = new Set([200, 400, 404, 413]);

test('bodies of any form are answered or refused in words, and the listener goes on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...bases),
      fc.array(fc.nat(1_000), { minLength: 40, maxLength: 40 }),
      fc.array(odd, { minLength: 1, maxLength: 3 }),
      async ({ path, body }, choices, others) => {
        let turn = 0;
        const pick = (upTo: number) => (choices[turn++ % choices.length] ?? 0) % Math.max(1, upTo);
        const changed = others.reduce<unknown>((value, other) => mutate(value, pick, other), body);
        const { status, json, text } = await rest.call(path, JSON.stringify(changed) ?? 'x', jsonBody);
        expect([path, text, foreseen.has(status)]).toEqual([path, text, true]);
        expect(status === 200 || typeof (json.error ?? json['message']) === 'string').toBe(true);
      },
    ),
    { numRuns: 600 },
  );
  expect(await rest.answered('/v2/models/m/ready')).toEqual({ name: 'm', ready: true });
}, 60_000);

test('bytes of any kind, with any header of theirs, are answered or refused in words', async () => {
  const raw = binaryRequest(
    { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 30], parameters: { binary_data_size: 120 } }] },
    Buffer.alloc(120),
  );
  const whole = raw.body;
  const encodings = ['gzip', 'deflate', 'identity', 'br', ''];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 3 }),
      fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
      fc.oneof(fc.constant(raw.headers['inference-header-content-length']), fc.nat(300).map(String), fc.constant('x')),
      fc.option(fc.constantFrom(...encodings), { freq: 3 }),
      async (changes, cut, header, encoding) => {
        const damaged = Buffer.from(whole);
        for (const [at, byte] of changes) damaged.writeUInt8(byte, at);
        const headers = {
          'inference-header-content-length': header,
          ...(encoding !== null && { 'content-encoding': encoding }),
        };
        const { status } = await rest.infer('bc', damaged.subarray(0, cut), headers);
        expect([200, 400]).toContain(status);
      },
    ),
    { numRuns: 400 },
  );
  expect((await rest.infer('bc', many)).status).toBe(200);
}, 60_000);

const ask = (path: string) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`;

test('who asks on and on ahead of its answers goes, and a few are answered in their order', async () => {
  const { hostname, port } = new URL(rest.base);
  const converse = async (requests: readonly string[]) => {
    const socket = connect(Number(port), hostname, () => void socket.write(requests.join('')));
    let said = '';
    let isClosed = false;
    socket.on('error', () => undefined);
    socket.on('close', () => (isClosed = true));
    socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const statuses = () => [...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));
    await expect.poll(() => isClosed || statuses().length === requests.length).toBe(true);
    socket.destroy();
    return { isClosed, statuses: statuses() };
  };
  const few = Array.from({ length: 20 }, (_, turn) => ask(turn % 2 === 0 ? '/v2/health/live' : '/nothing'));
  expect(await converse(few)).toEqual({
    isClosed: false,
    statuses: few.map((_, turn) => (turn % 2 === 0 ? 200 : 404)),
  });
  expect(await converse(Array.from({ length: 1_000 }, () => ask('/metrics')))).toMatchObject({ isClosed: true });
  expect(await converse([ask('/v2/health/live')])).toEqual({ isClosed: false, statuses: [200] });
});
