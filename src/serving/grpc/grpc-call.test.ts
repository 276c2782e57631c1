import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { createRequestMemory } from '../request-memory.ts';
import type { GrpcCall, GrpcMethod } from './grpc-call.ts';
import { createGrpcListener } from './grpc-listener.ts';

const framed = (message: Buffer, flag = 0): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

async function aServer(methods: Readonly<Record<string, GrpcMethod>>, budgetBytes = 1_000_000, maxCalls?: number) {
  const memory = createRequestMemory(budgetBytes);
  const logger = pino({ level: 'silent' });
  const limits = { maxMessageBytes: 400_000, maxConnections: 100, ...(maxCalls !== undefined && { maxCalls }) };
  const deps = { memory, logger, ...limits };
  const listener = createGrpcListener(new Map(Object.entries(methods)), deps);
  const port = await listener.listen('127.0.0.1', 0);
  onTestFinished(async () => {
    await listener.stop(100);
    memory.close();
  });
  const client = (settings = {}): ClientHttp2Session => {
    const session = connect(`http://127.0.0.1:${port}`, { settings });
    session.on('error', () => undefined);
    onTestFinished(() => session.destroy());
    return session;
  };
  return { memory, client, port };
}

function call(session: ClientHttp2Session, path: string, headers = {}) {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', ...headers });
  stream.on('error', () => undefined);
  return stream;
}

/** Takes until there is room, as others who ask do. */
const room = (memory: ReturnType<typeof createRequestMemory>, bytes: number) => () => {
  try {
    memory.take(bytes);
    memory.give(bytes);
    return true;
  } catch {
    return false;
  }
};

const echo: GrpcMethod = { unary: (message) => ({ message: Buffer.from(message) }) };

test('a call whose message is whole, but which does not end, makes room for others', async () => {
  const { memory, client } = await aServer({ '/echo': echo });
  const session = client();
  const stream = call(session, '/echo');
  stream.write(framed(Buffer.alloc(300_000)));
  await expect.poll(() => memory.usedBytes).toBe(300_000);
  await new Promise((resolve) => void setTimeout(resolve, 50)); // all of it has come
  await expect.poll(room(memory, 900_000), { timeout: 5_000 }).toBe(true);
  expect(memory.usedBytes).toBe(0);
});

test('calls that say how much they will send, and send nothing, take no room from others', async () => {
  const { memory, client } = await aServer({ '/echo': echo });
  const session = client();
  for (let turn = 0; turn < 8; turn += 1) call(session, '/echo').write(framed(Buffer.alloc(390_000)).subarray(0, 5));
  const stream = call(session, '/echo').resume();
  stream.end(framed(Buffer.alloc(300_000)));
  const [trailers] = await once(stream, 'trailers');
  expect([trailers['grpc-status'], memory.cut]).toEqual(['0', 0]);
});

test('a connection may have many calls at once, and a share when those of all together are many', async () => {
  const { client } = await aServer({ '/echo': echo }, 1_000_000, 100);
  const [busy, other] = [client(), client()];
  const refused = { busy: 0, other: 0 };
  const open = (session: ClientHttp2Session, who: 'busy' | 'other') =>
    call(session, '/echo').on('close', () => void (refused[who] += 1));
  for (let turn = 0; turn < 101; turn += 1) open(busy, 'busy');
  await expect.poll(() => refused).toEqual({ busy: 1, other: 0 });
  for (let turn = 0; turn < 55; turn += 1) open(other, 'other');
  await expect.poll(() => refused).toEqual({ busy: 1, other: 5 });
});

test('packed messages wait for their turn as they are, and count as running though their calls are reset', async () => {
  const { memory, client } = await aServer({ '/echo': echo });
  const holding: (() => void)[] = [];
  for (let turn = 0; turn < 2; turn += 1)
    void memory.unpacking.take({}, () => new Promise<void>((resolve) => void holding.push(resolve)));
  const session = client();
  const packed = gzipSync(Buffer.alloc(390_000));
  const ask = () => {
    const stream = call(session, '/echo', { 'grpc-encoding': 'gzip' });
    stream.end(framed(packed, 1));
    return stream;
  };
  const streams = Array.from({ length: 1_000 }, ask);
  await expect.poll(() => memory.usedBytes, { timeout: 10_000 }).toBe(1_000 * packed.length);
  const closed = streams.map((stream) => once(stream, 'close'));
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  await Promise.all(closed);
  const refused = ask();
  await new Promise((resolve) => void refused.on('close', resolve));
  expect(refused.rstCode).toBe(constants.NGHTTP2_REFUSED_STREAM);
  for (const end of holding) end();
  await expect.poll(() => memory.usedBytes).toBe(0);
  const [headers] = await once(ask(), 'response');
  expect(headers[':status']).toBe(200);
});

test('packed messages that are not read yet hold their client back', async () => {
  let taken = 0;
  const { memory, client } = await aServer({
    '/count': {
      stream: (given) => ({
        message(bytes) {
          taken += 1;
          given.release(bytes);
        },
        end: () => given.end(),
      }),
    },
  });
  const stream = call(client(), '/count', { 'grpc-encoding': 'gzip' });
  const packed = framed(gzipSync(Buffer.from('a')), 1);
  stream.resume();
  stream.end(Buffer.concat(Array.from({ length: 4_000 }, () => packed)));
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, memory.usedBytes)), 1);
  await once(stream, 'close');
  clearInterval(timer);
  expect(taken).toBe(4_000);
  expect(most).toBeLessThan(66_536);
  await expect.poll(() => memory.usedBytes).toBe(0);
});

test('whatever clients do and whenever, all memory comes back and calls go on', { timeout: 120_000 }, async () => {
  const waiting: (() => void)[] = [];
  const later = () => new Promise<void>((resolve) => void waiting.push(resolve));
  const talk = (given: GrpcCall) => {
    let tail = Promise.resolve();
    return {
      message(bytes: Buffer) {
        given.pause();
        tail = (async () => {
          await later();
          given.send(Buffer.alloc(bytes.length * 2));
          given.release(bytes);
          await given.sent();
          given.resume();
        })();
      },
      end: () => void tail.then(() => given.end()),
    };
  };
  const { memory, client } = await aServer(
    {
      '/now': echo,
      '/later': {
        async unary(message) {
          await later();
          return { message: Buffer.alloc(message.length) };
        },
      },
      '/talk': { stream: talk },
    },
    500_000,
  );
  const step = fc.record({
    what: fc.constantFrom('open', 'open', 'message', 'message', 'part', 'end', 'reset', 'go', 'destroy', 'wait'),
    path: fc.constantFrom('/now', '/later', '/talk', '/none'),
    size: fc.constantFrom(0, 1, 70, 5_000, 80_000, 390_000, 400_000),
    which: fc.nat(),
    timeout: fc.constantFrom('1m', '0n', '99999999H', undefined),
    flag: fc.constantFrom(0, 0, 1),
    window: fc.constantFrom(0, 10, 65_535, 1_000_000),
  });
  const run = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const sessions: ClientHttp2Session[] = [];
    let streams: ReturnType<typeof call>[] = [];
    for (const { what, path, size, which, timeout, flag, window } of steps) {
      const stream = streams[which % Math.max(1, streams.length)];
      const bytes = flag === 0 ? Buffer.alloc(size) : gzipSync(Buffer.alloc(size));
      if (what === 'open') {
        if (sessions.length === 0) sessions.push(client({ initialWindowSize: window }));
        const headers = { 'grpc-encoding': 'gzip', ...(timeout !== undefined && { 'grpc-timeout': timeout }) };
        const made = call(sessions[0] as ClientHttp2Session, path, headers);
        if (which % 3 > 0) made.resume(); // others read nothing
        streams.push(made);
      } else if (what === 'go') waiting.shift()?.();
      else if (what === 'wait') await new Promise((resolve) => void setTimeout(resolve, 3));
      else if (what === 'destroy') {
        sessions.shift()?.destroy();
        streams = [];
      } else if (stream === undefined || stream.destroyed || stream.writableEnded) continue;
      else if (what === 'message') stream.write(framed(bytes, flag));
      else if (what === 'part') stream.write(framed(bytes, flag).subarray(0, 5 + size / 2));
      else if (what === 'end') stream.end();
      else stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => void setTimeout(resolve, 5));
    for (const session of sessions) session.destroy();
    await expect
      .poll(
        () => {
          for (const go of waiting.splice(0)) go();
          return memory.usedBytes;
        },
        { interval: 2, timeout: 5_000 },
      )
      .toBe(0);
  });
  await fc.assert(run, { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60) });
  const stream = call(client(), '/now').resume();
  stream.end(framed(Buffer.of(1)));
  const [trailers] = await once(stream, 'trailers');
  expect(trailers).toMatchObject({ 'grpc-status': '0' });
});
