import { connect, type IncomingHttpHeaders } from 'node:http2';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { buildTimeoutMs } from '../testing/test-plane.ts';
import { status } from './status-codes.ts';
import { inferMessage } from './testing/grpc-client.ts';
import { type GrpcTestPlane, startGrpcTestPlane } from './testing/grpc-plane.ts';

// What no client library would send, over a client of HTTP/2 that knows nothing of gRPC.

let plane: GrpcTestPlane;
beforeAll(async () => {
  plane = await startGrpcTestPlane();
}, buildTimeoutMs);
afterAll(() => plane.close());

const service = '/inference.GRPCInferenceService';
const framed = (message: Buffer, flag = 0): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};
const gather = (id: string) => ({
  model_name: 'gather',
  id,
  inputs: [{ name: 'index', datatype: 'INT64', shape: [1], contents: { int64_contents: [1] } }],
});

/** What a call is answered: its headers, messages, and trailers. */
async function ask(path: string, headers: IncomingHttpHeaders, ...parts: Buffer[]) {
  const session = connect(`http://${plane.address}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', ...headers });
  const said: IncomingHttpHeaders = {};
  const bytes: Buffer[] = [];
  stream.on('response', (found) => void Object.assign(said, found));
  stream.on('trailers', (found) => void Object.assign(said, found));
  stream.on('data', (part: Buffer) => void bytes.push(part));
  stream.on('error', () => undefined);
  const closed = new Promise((resolve) => void stream.on('close', resolve));
  for (const part of parts) stream.write(part);
  stream.end();
  await closed;
  return { said, code: Number(said['grpc-status']), details: said['grpc-message'], bytes: Buffer.concat(bytes) };
}

test('what is no call of gRPC has a status of HTTP', async () => {
  expect((await ask(`${service}/ServerLive`, { ':method': 'GET' })).said[':status']).toBe(405);
  const typed = (type: string) => ask(`${service}/ServerLive`, { 'content-type': type }, framed(Buffer.alloc(0)));
  for (const type of ['text/plain', 'application/grpc-web', 'application/grpc+json', 'application/grpcx'])
    expect((await typed(type)).said[':status']).toBe(415);
  for (const type of ['application/grpc+proto', 'Application/gRPC', 'application/grpc; charset=utf-8'])
    expect((await typed(type)).code).toBe(status.OK);
});

test('a call that is not there, too much metadata, and a deadline that is none are refused in words', async () => {
  const unknown = await ask('/a.B/C', {});
  expect([unknown.code, unknown.details]).toEqual([status.UNIMPLEMENTED, 'there is no call /a.B/C here']);
  const long = await ask(`${service}/ServerLive`, { long: 'x'.repeat(20_000) });
  expect([long.code, long.details]).toEqual([status.RESOURCE_EXHAUSTED, expect.stringContaining('metadata')]);
  const late = await ask(`${service}/ServerLive`, { 'grpc-timeout': 'soon' }, framed(Buffer.alloc(0)));
  expect([late.code, late.details]).toEqual([status.INVALID_ARGUMENT, expect.stringContaining('grpc-timeout')]);
});

test('a call of one message takes one, whole and packed as it says', async () => {
  const live = `${service}/ServerLive`;
  const empty = framed(Buffer.alloc(0));
  const codeOf = async (...given: Parameters<typeof ask>) => (await ask(...given)).code;
  expect(await codeOf(live, {}, empty)).toBe(status.OK);
  expect(await codeOf(live, {}, empty, empty)).toBe(status.UNIMPLEMENTED);
  expect(await codeOf(live, {})).toBe(status.UNIMPLEMENTED);
  expect(await codeOf(live, {}, empty.subarray(0, 3))).toBe(status.UNIMPLEMENTED);
  expect(await codeOf(live, {}, framed(Buffer.alloc(0), 1))).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf(live, { 'grpc-encoding': 'gzip' }, framed(Buffer.of(1, 2), 1))).toBe(status.INVALID_ARGUMENT);
  const other = await ask(live, { 'grpc-encoding': 'br' }, framed(Buffer.alloc(0), 1));
  expect([other.code, other.said['grpc-accept-encoding']]).toEqual([status.UNIMPLEMENTED, 'identity,deflate,gzip']);
});

test('messages of a stream are answered in their order, packed or not', async () => {
  const messages = Array.from({ length: 20 }, (_, turn) => inferMessage(gather(`id-${turn}`)));
  for (const [encoding, pack] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    const parts = messages.map((bytes, turn) => (turn % 3 === 0 ? framed(bytes) : framed(pack(bytes), 1)));
    const { code, bytes } = await ask(`${service}/ModelStreamInfer`, { 'grpc-encoding': encoding }, ...parts);
    const ids = [...bytes.toString('latin1').matchAll(/id-(\d+)/g)].map(([, turn]) => Number(turn));
    expect([code, ids]).toEqual([status.OK, messages.map((_, turn) => turn)]);
  }
});

test('a stream whose next message is too long, or cannot be unpacked, answers what it has, and ends', async () => {
  const first = framed(inferMessage(gather('first')));
  const endings = [
    [Buffer.of(0, 255, 0, 0, 0), status.RESOURCE_EXHAUSTED],
    [framed(Buffer.from('no gzip'), 1), status.INVALID_ARGUMENT],
  ] as const;
  for (const [next, expected] of endings) {
    const { code, bytes } = await ask(`${service}/ModelStreamInfer`, { 'grpc-encoding': 'gzip' }, first, next);
    expect([code, bytes.includes('first')]).toEqual([expected, true]);
  }
});

test('details of a failure are percent-encoded where they are not printable ASCII', async () => {
  const { code, details } = await ask(
    `${service}/ModelReady`,
    {},
    framed(Buffer.from('0a05c3a425e282ac'.replace('05', '06'), 'hex')),
  );
  expect([code, details]).toEqual([status.NOT_FOUND, expect.stringContaining('%C3%A4%25%E2%82%AC')]);
});
