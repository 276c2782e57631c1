import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createRequestMemory } from '../request-memory.ts';
import { flags, frameTypes, preface } from './frames.ts';
import { encodeHeaders } from './header-encoder.ts';
import { errorCodes } from './http2-error.ts';
import type { Http2Stream } from './http2-stream.ts';
import { answerHead, aRaw, aServer, fields, frame, greeting, of, open, post, trailers } from './testing/raw-http2.ts';

function aClient(port: number, settings = {}): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings });
  onTestFinished(() => session.destroy());
  return session;
}

async function ask(session: ClientHttp2Session, body: Buffer, headers: IncomingHttpHeaders = {}) {
  const stream = session.request({ ':method': 'POST', ':path': '/echo', ...headers });
  const parts: Buffer[] = [];
  let last: IncomingHttpHeaders = {};
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('trailers', (found) => (last = found));
  stream.end(body);
  await once(stream, 'end');
  return { body: Buffer.concat(parts), trailers: last };
}

const bytesOf = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 255));

test('bodies of any length come back whole, through windows small and large, many at once', async () => {
  const { port, memory } = await aServer();
  for (const settings of [{}, { initialWindowSize: 1_000 }, { initialWindowSize: 2 ** 20, maxFrameSize: 2 ** 20 }]) {
    const session = aClient(port, settings);
    const bodies = [0, 1, 9_000, 300_000].map(bytesOf);
    const answers = await Promise.all(bodies.map((body) => ask(session, body)));
    expect(answers.map(({ body }, index) => body.equals(bodies[index] ?? Buffer.alloc(1)))).toEqual(
      bodies.map(() => true),
    );
    expect(answers.map((answer) => answer.trailers['sum'])).toEqual(bodies.map(() => 'all'));
  }
  await expect.poll(() => memory.usedBytes).toBe(0);
});

test('headers come as they were sent, in Huffman codes and by a table that both keep', async () => {
  const seen: (readonly string[] | undefined)[] = [];
  const { port } = await aServer({
    listener(stream, found) {
      seen.push(found);
      stream.respond(answerHead, true);
      stream.release();
    },
  });
  const session = aClient(port);
  const sent = Array.from({ length: 60 }, (_, turn) => ({
    [`x-name-${turn % 7}`]: `value ${turn % 11} ${'~!{}'.repeat(turn % 5)}`,
    authorization: `Bearer ${turn % 3}`,
  }));
  for (const headers of sent) await ask(session, Buffer.alloc(0), headers);
  expect(
    sent.every((headers, turn) =>
      Object.entries(headers).every(([name, value]) => valueOf(seen[turn], name) === value),
    ),
  ).toBe(true);
  await ask(session, Buffer.alloc(0), { long: 'x'.repeat(5_000) }); // in more than one frame, and more than may come
  expect(seen.at(-1)).toBeUndefined();
});

const valueOf = (found: readonly string[] | undefined, name: string) => found?.[found.indexOf(name) + 1];

const { END_HEADERS, END_STREAM, PADDED, PRIORITY, ACK } = flags;

test('padding, priorities, trailers of requests and frames of extensions are read over, in parts of any size', async () => {
  const { port } = await aServer();
  const raw = aRaw(port);
  const bytes = Buffer.concat([
    greeting,
    frame(0x42, 0xff, 9, 'abcd'),
    frame(
      frameTypes.HEADERS,
      PADDED | PRIORITY,
      1,
      Buffer.concat([Buffer.from('02 00000000 10'.replaceAll(' ', ''), 'hex'), post.subarray(0, 5), Buffer.alloc(2)]),
    ),
    frame(frameTypes.CONTINUATION, 0, 1, post.subarray(5, 6)),
    frame(frameTypes.CONTINUATION, END_HEADERS, 1, post.subarray(6)),
    frame(frameTypes.DATA, PADDED, 1, '03 6162 000000'),
    frame(frameTypes.PRIORITY, 0, 3, '00000000 00'),
    frame(frameTypes.DATA, PADDED, 1, '00 6364'),
    frame(frameTypes.DATA, 0, 1),
    open(1, END_STREAM, fields(...of('checksum'))),
  ]);
  for (const byte of bytes) raw.socket.write(Buffer.of(byte));
  await expect.poll(() => raw.ends(frameTypes.HEADERS).length).toBe(2);
  expect(Buffer.concat(raw.ends(frameTypes.DATA).map(({ payload }) => payload)).toString()).toBe('abcd');
  expect(raw.ends(frameTypes.RST_STREAM)).toEqual([]);
});

test('streams past the limit are refused, and those that were reset count until their owners are done', async () => {
  const running: Http2Stream[] = [];
  const { port } = await aServer({ listener: (stream) => void running.push(stream) });
  const raw = aRaw(port);
  const ids = [1, 3, 5, 7, 9];
  raw.send(greeting, ...ids.flatMap((id) => [open(id), frame(frameTypes.RST_STREAM, 0, id, '00000008')]));
  await expect.poll(() => raw.ends(frameTypes.RST_STREAM).length).toBe(1);
  expect(raw.ends(frameTypes.RST_STREAM)[0]).toMatchObject({
    id: 9,
    payload: Buffer.of(0, 0, 0, errorCodes.REFUSED_STREAM),
  });
  running[0]?.release();
  raw.send(open(11));
  await expect.poll(() => running.length).toBe(5);
});

test('a client that reads nothing holds what it was sent until it is cut, and who pings on and on goes', async () => {
  const memory = createRequestMemory(1_000_000);
  const large = Buffer.alloc(40_000_000);
  const { port } = await aServer({
    memory,
    listener(stream) {
      stream.respond(answerHead);
      stream.write(large);
    },
  });
  const wide = frame(frameTypes.SETTINGS, 0, 0, '0004 7fffffff');
  const allOpen = frame(frameTypes.WINDOW_UPDATE, 0, 0, '7fff0000');
  const deaf = [aRaw(port), aRaw(port)].map((raw, index) => {
    raw.socket.pause();
    // one takes no bytes from its socket, the other opens no window
    raw.send(
      preface,
      index === 0 ? wide : frame(frameTypes.SETTINGS, 0, 0),
      ...(index === 0 ? [allOpen] : []),
      open(1),
    );
    return raw;
  });
  await expect.poll(() => memory.usedBytes).toBeGreaterThan(70_000_000);
  await expect
    .poll(
      () => {
        try {
          memory.take(1);
          memory.give(1);
        } catch {
          // no room yet: the clients are given a second
        }
        return memory.usedBytes;
      },
      { timeout: 5_000 },
    )
    .toBe(0);
  expect(memory.cut).toBe(2);
  for (const { socket } of deaf) socket.destroy();

  const pinging = aRaw(port);
  pinging.socket.pause();
  const pings = Buffer.concat(Array.from({ length: 10_000 }, () => frame(frameTypes.PING, 0, 0, '0000000000000000')));
  pinging.send(greeting);
  await new Promise<void>((resolve) => {
    const more = (error?: Error | null): void => {
      if (error) resolve();
      else pinging.socket.write(pings, more);
    };
    more();
  });
});

test('a connection that is left answers what is there, takes what was on its way, and closes', async () => {
  const running: Http2Stream[] = [];
  const { port, connections } = await aServer({ listener: (stream) => void running.push(stream) });
  const raw = aRaw(port);
  const silent: Socket = connect(port, '127.0.0.1').resume();
  await expect.poll(() => connections.length).toBe(2);
  raw.send(greeting, open(1, END_STREAM));
  await expect.poll(() => running.length).toBe(1);
  const closed = [once(raw.socket, 'close'), once(silent, 'close')];
  for (const connection of connections) connection.leave();
  await expect.poll(() => raw.ends(frameTypes.PING).length).toBe(1);
  raw.send(open(3, END_STREAM), frame(frameTypes.PING, ACK, 0, '0000000000000000'), open(5, END_STREAM));
  await expect.poll(() => raw.ends(frameTypes.RST_STREAM).map(({ id }) => id)).toEqual([5]);
  expect(raw.ends(frameTypes.GOAWAY).map(({ payload }) => payload.readUInt32BE(0))).toEqual([2 ** 31 - 1, 3]);
  for (const stream of running) stream.respond(answerHead, true);
  await Promise.all(closed);
  expect(raw.ends(frameTypes.HEADERS).map(({ id }) => id)).toEqual([1, 3]);
});

test('answers that wait for a window count as streams at once, however soon their owners are done', async () => {
  let begun = 0;
  const { port } = await aServer({
    listener(stream) {
      begun += 1;
      stream.respond(answerHead);
      stream.write(Buffer.of(1));
      stream.end(trailers);
      stream.release();
    },
  });
  const raw = aRaw(port);
  const ids = [1, 3, 5, 7, 9, 11];
  raw.send(preface, frame(frameTypes.SETTINGS, 0, 0, '0004 00000000'), ...ids.map((id) => open(id, END_STREAM)));
  const refused = () =>
    raw.ends(frameTypes.RST_STREAM).filter(({ payload }) => payload[3] === errorCodes.REFUSED_STREAM);
  await expect.poll(() => refused().map(({ id }) => id)).toEqual([9, 11]);
  expect(begun).toBe(4);
});

test('a client that keeps no table of fields is told that none is used', async () => {
  const { port } = await aServer();
  for (const headerTableSize of [0, 100]) {
    const session = aClient(port, { headerTableSize });
    await once(session, 'localSettings');
    for (let turn = 0; turn < 2; turn += 1) expect((await ask(session, Buffer.of(1))).body).toEqual(Buffer.of(1));
  }
});

test('settings are answered before what they let go', async () => {
  const { port } = await aServer();
  const raw = aRaw(port);
  raw.send(preface, frame(frameTypes.SETTINGS, 0, 0, '0004 00000000'), open(1), frame(frameTypes.DATA, 0, 1, '616263'));
  await expect.poll(() => raw.ends(frameTypes.HEADERS).length).toBe(1);
  raw.send(frame(frameTypes.SETTINGS, 0, 0, '0004 00000001'));
  await expect.poll(() => raw.ends(frameTypes.DATA).length).toBe(1);
  expect(raw.frames().at(-2)).toMatchObject({ type: frameTypes.SETTINGS, flagBits: ACK });
});

test('padding takes nothing from the window of a stream', async () => {
  const { port } = await aServer({ listener: () => undefined });
  const raw = aRaw(port);
  raw.send(greeting, open(1), frame(frameTypes.DATA, PADDED, 1, Buffer.concat([Buffer.of(200), Buffer.alloc(205)])));
  const windows = () => raw.ends(frameTypes.WINDOW_UPDATE).filter(({ id }) => id === 1);
  await expect.poll(() => windows().map(({ payload }) => payload.readUInt32BE(0))).toContain(201);
});

test('what is on its way to a stream that ended early is read over', async () => {
  const { port } = await aServer({
    listener(stream) {
      stream.respond(answerHead, true);
      stream.release();
    },
  });
  const raw = aRaw(port);
  raw.send(greeting, open(1), frame(frameTypes.DATA, 0, 1, '00'), open(1, END_STREAM, fields(...of('sum'))));
  raw.send(open(3, END_STREAM));
  await expect.poll(() => raw.ends(frameTypes.HEADERS).map(({ id }) => id)).toEqual([1, 3]);
  expect(raw.ends(frameTypes.GOAWAY)).toEqual([]);
  expect(raw.ends(frameTypes.RST_STREAM).filter(({ id }) => id === 1).length).toBe(1);
});

test('who asks on and on and reads no answer goes', async () => {
  const longHead = encodeHeaders([
    [':status', '200'],
    ['a', 'x'.repeat(1_000)],
  ]);
  const { port } = await aServer({
    listener(stream) {
      stream.respond(longHead, true);
      stream.release();
    },
  });
  const { socket } = aRaw(port);
  socket.pause();
  socket.write(greeting);
  const gone = new Promise<boolean>((resolve) => {
    let id = 1;
    const more = (error?: Error | null): void => {
      if (error) return resolve(true);
      const asked = Array.from({ length: 2_000 }, (_, turn) => open(id + turn * 2, END_STREAM));
      id += 4_000;
      if (id < 40_000_000) socket.write(Buffer.concat(asked), more);
    };
    more();
  });
  expect(await gone).toBe(true);
});

test('a window of one byte after the other costs the same however many wait', async () => {
  let begun = 0;
  const { port } = await aServer({
    listener(stream) {
      begun += 1;
      stream.respond(answerHead);
      stream.write(Buffer.alloc(100_000));
    },
  });
  const raw = aRaw(port);
  raw.send(preface, frame(frameTypes.SETTINGS, 0, 0, '0004 7fffffff'), open(1), open(3), open(5));
  await expect.poll(() => begun).toBe(3);
  const one = frame(frameTypes.WINDOW_UPDATE, 0, 0, '00000001');
  raw.send(...Array.from({ length: 6 }, () => one));
  // in turns, so that each has its part
  const singles = () => raw.ends(frameTypes.DATA).filter(({ payload }) => payload.length === 1);
  await expect.poll(() => singles().map(({ id }) => id)).toEqual([1, 3, 5, 1, 3, 5]);
});

test('a connection that is left lets a slow client take its answers', async () => {
  const { port, connections } = await aServer({
    listener(stream) {
      stream.respond(answerHead);
      stream.write(Buffer.alloc(12_000_000));
      stream.end(trailers);
      stream.release();
    },
  });
  const raw = aRaw(port);
  const { socket } = raw;
  raw.send(preface, frame(frameTypes.SETTINGS, 0, 0, '0004 7fffffff'));
  raw.send(frame(frameTypes.WINDOW_UPDATE, 0, 0, '7fff0000'), open(1, END_STREAM));
  await once(socket, 'data');
  socket.pause();
  await expect.poll(() => connections[0]?.writer.unreadBytes).toBeGreaterThan(1_000_000);
  connections[0]?.leave();
  raw.send(frame(frameTypes.PING, ACK, 0, '0000000000000000'));
  await new Promise((resolve) => void setTimeout(resolve, 1_500));
  socket.resume();
  await once(socket, 'close');
  expect(raw.ends(frameTypes.DATA).reduce((sum, { payload }) => sum + payload.length, 0)).toBe(12_000_000);
});
