import { connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { datatypes } from '#contracts/tensor';
import { buildTimeoutMs } from '../testing/test-plane.ts';
import { inferenceService } from './inference-messages.ts';
import { inferMessage } from './testing/grpc-client.ts';
import { type GrpcTestPlane, startGrpcTestPlane } from './testing/grpc-plane.ts';

/** Whatever the bytes: no crash, no hang, no INTERNAL. `FUZZ_RUNS` makes it go on for longer. */
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 150);
const timeout = 30_000 + numRuns * 200;
let plane: GrpcTestPlane;
beforeAll(async () => {
  plane = await startGrpcTestPlane();
}, buildTimeoutMs);
afterAll(() => plane.close());

const pathOf = (name: string): string => `/inference.GRPCInferenceService/${name}`;
const faultOfCaller: readonly number[] = [
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
  status.UNAVAILABLE, // of the model that cannot be loaded
  status.DEADLINE_EXCEEDED, // by the parameter `timeout`
];

async function sendAll(names: readonly string[], bytes: Buffer): Promise<void> {
  for (const name of names) {
    const { code, details } = await plane.client.send(pathOf(name), bytes, { timeoutMs: 20_000 });
    // a model that raises, as `gather` does outside of its table, is its own fault
    if (faultOfCaller.includes(code) || details.startsWith('the model failed')) continue;
    throw new Error(`${name} answered ${code} (${details}) to ${bytes.toString('hex')}`);
  }
}

const isUnary = (name: string): boolean => name !== 'ModelStreamInfer';
const unaryNames = Object.keys(inferenceService.calls).filter(isUnary);

test('random bytes as the message of any call', { timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...unaryNames), fc.uint8Array({ maxLength: 200 }), (name, bytes) =>
      sendAll([name], Buffer.from(bytes)),
    ),
    { numRuns },
  );
  expect((await plane.client.call('ServerReady', {})).value).toEqual({ ready: true });
});

const dimension = fc.oneof(
  fc.integer({ min: -2, max: 3 }),
  fc.constantFrom('1099511627776', '9223372036854775807', '-9223372036854775808', '4294967296'),
);
const contents = fc.record(
  {
    bool_contents: fc.array(fc.boolean(), { maxLength: 4 }),
    int_contents: fc.array(fc.integer(), { maxLength: 4 }),
    int64_contents: fc.array(fc.integer(), { maxLength: 4 }),
    fp32_contents: fc.array(fc.float(), { maxLength: 31 }),
    bytes_contents: fc.array(
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
      { maxLength: 4 },
    ),
  },
  { requiredKeys: [] },
);
const request = fc.record(
  {
    model_name: fc.constantFrom('bc', 'gather', 'types', 'm', 'flights/m', 'broken', 'waiting', 'x/y/z', ''),
    model_version: fc.constantFrom('', '1', '9'),
    id: fc.string({ maxLength: 8 }),
    parameters: fc.dictionary(
      fc.constantFrom('keys', 'event_times', 'timeout', 'priority', 'sequence_id', 'subject', '__proto__'),
      fc.oneof(
        fc.record({ string_param: fc.constantFrom('', '[', '[1]', '["a","b"]', '\uD800', 'x') }),
        fc.record({ int64_param: fc.integer() }),
        fc.record({ double_param: fc.double() }),
        fc.record({ bool_param: fc.boolean() }),
      ),
    ),
    inputs: fc.array(
      fc.record(
        {
          name: fc.constantFrom('x', 'index', 'turns', 'carrier', 'flight', 'distance', 'BYTES', 'y', ''),
          datatype: fc.constantFrom(...datatypes, 'BF16', '', 'fp32'),
          shape: fc.array(dimension, { maxLength: 4 }),
          contents,
        },
        { requiredKeys: ['name', 'datatype', 'shape'] },
      ),
      { maxLength: 3 },
    ),
    outputs: fc.array(fc.record({ name: fc.constantFrom('label', 'picked', 'odds') }), { maxLength: 2 }),
    raw_input_contents: fc.array(
      fc.uint8Array({ maxLength: 130 }).map((bytes) => Buffer.from(bytes)),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['model_name', 'inputs'] },
);

test('requests that are nearly right, and the same with bytes changed or cut off', { timeout }, async () => {
  const change = fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.option(fc.nat()) });
  await fc.assert(
    fc.asyncProperty(request, change, async (value, { at, to, cut }) => {
      const bytes = inferMessage(value);
      const changed = Buffer.from(bytes);
      if (changed.length > 0) changed[at % changed.length] = to;
      await sendAll(['ModelInfer'], bytes);
      await sendAll(['ModelInfer'], cut === null ? changed : changed.subarray(0, cut % (changed.length + 1)));
    }),
    { numRuns },
  );
  expect((await plane.client.call('ServerReady', {})).value).toEqual({ ready: true });
});

test('a stream of anything is answered message by message', { timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 20 }), async (messages) => {
      const stream = plane.client.converse(pathOf('ModelStreamInfer'));
      let answers = 0;
      stream.on('data', () => (answers += 1));
      const ended = new Promise<{ code: number }>((resolve) => void stream.once('status', resolve));
      stream.on('error', () => undefined);
      for (const message of messages) stream.write(Buffer.from(message));
      stream.end();
      expect([(await ended).code, answers]).toEqual([status.OK, messages.length]);
    }),
    { numRuns: Math.ceil(numRuns / 5) },
  );
});

/** Past the client library, which would not send such a thing. */
function sendFrames(bytes: Buffer, headers: IncomingHttpHeaders = {}): Promise<string> {
  return new Promise((resolve) => {
    const session = connect(`http://${plane.address}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': pathOf('ModelInfer'),
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let answer = 'none';
    const take = (found: IncomingHttpHeaders): void => {
      if (found['grpc-status'] !== undefined) answer = String(found['grpc-status']);
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', () => undefined);
    stream.on('close', () => {
      session.close();
      resolve(answer);
    });
    stream.resume();
    stream.end(bytes);
  });
}
const framed = (message: Buffer, compressed = 0, length = message.length): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};

test('frames that lie, and compressed messages', { timeout }, async () => {
  const metadataRequest = Buffer.from('0a046e6f7065', 'hex'); // of the model "nope"
  const gzip = { 'grpc-encoding': 'gzip' };
  expect(await sendFrames(framed(gzipSync(metadataRequest), 1), gzip)).toBe(String(status.NOT_FOUND));
  // 64 MiB of zeros in 64 KiB: ended at the limit of a message
  const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
  expect(await sendFrames(framed(bomb, 1), gzip)).toBe(String(status.RESOURCE_EXHAUSTED));
  expect(await sendFrames(framed(metadataRequest, 1), { 'grpc-encoding': 'snappy' })).toBe(
    String(status.UNIMPLEMENTED),
  );
  expect(await sendFrames(framed(Buffer.alloc(0), 0, 2 ** 31))).toBe(String(status.RESOURCE_EXHAUSTED));
  // an end before the message is whole, or none at all
  expect(await sendFrames(framed(metadataRequest, 0, 50))).toBe(String(status.UNIMPLEMENTED));
  expect(await sendFrames(Buffer.alloc(0))).toBe(String(status.UNIMPLEMENTED));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => void (await sendFrames(Buffer.from(bytes)))),
    { numRuns: Math.ceil(numRuns / 5) },
  );
  expect((await plane.client.call('ServerReady', {})).value).toEqual({ ready: true });
});

test('calls that are reset while they run leave nothing behind', { timeout }, async () => {
  const turns = {
    model_name: 'slow',
    inputs: [{ name: 'turns', datatype: 'INT64', shape: [1], contents: { int64_contents: [50] } }],
  };
  const message = framed(inferMessage(turns));
  const session = connect(`http://${plane.address}`);
  const streams = Array.from({ length: 50 }, (_, turn) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': pathOf('ModelInfer'),
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => void stream.on('close', () => resolve()));
    stream.write(turn % 2 === 0 ? message : message.subarray(0, 7));
    stream.close(constants.NGHTTP2_CANCEL);
    return closed;
  });
  await Promise.all(streams);
  session.destroy();
  expect((await plane.client.call('ModelInfer', turns)).code).toBe(status.OK);
});
