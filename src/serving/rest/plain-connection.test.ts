import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createRequestMemory } from '../request-memory.ts';
import { listenForPlain } from './plain-listener.ts';
import type { RestResponse } from './rest-route.ts';

interface Given {
  readonly budgetBytes?: number;
  /** Answers a plain request; default: with its body in capitals. */
  readonly handle?: (url: string, body: Buffer, response: RestResponse) => void;
}

/** Node's server behind, which says that it was it; bodies come back in capitals. */
async function aServer({ budgetBytes = 1_000_000, handle }: Given = {}) {
  const memory = createRequestMemory(budgetBytes);
  const native: string[] = [];
  let isDraining = false;
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      native.push(request.url ?? '');
      response.end(`node ${Buffer.concat(parts).toString().toUpperCase()}`);
    });
  });
  const plain = listenForPlain(server, {
    memory,
    draining: () => isDraining,
    nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5),
    isWanted: (url) => !url.startsWith('/node'),
    handle({ url, body }, response) {
      if (handle !== undefined) return handle(url, body, response);
      response.writeHead(200, ['content-length', String(body.length), 'mark', url]);
      response.end(body.toString().toUpperCase(), 'utf8');
    },
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    plain.closeAll();
    server.closeAllConnections();
    server.close();
    memory.close();
  });
  const { port } = server.address() as AddressInfo;
  const count = () => new Promise<number>((resolve) => void server.getConnections((_error, found) => resolve(found)));
  return { port, memory, native, plain, count, drain: () => void (isDraining = true) };
}

function aClient(port: number, allowHalfOpen = false) {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  let text = '';
  let isClosed = false;
  socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
  socket.on('close', () => (isClosed = true));
  return {
    socket,
    send: (bytes: string) => void socket.write(bytes),
    said: () => text,
    /** Bodies of the answers so far. */
    bodies: () =>
      text
        .split(/HTTP\/1\.1 \d+ [^\r]*\r\n/)
        .slice(1)
        .map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4)),
    isClosed: () => isClosed,
  };
}

const post = (body: string, url = '/a', more = '') =>
  `POST ${url} HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;

test('requests on one connection are answered in their order, asked ahead or one by one', async () => {
  const { port, native } = await aServer();
  const client = aClient(port);
  client.send(post('one') + post('two', '/b') + post('three'));
  await expect.poll(client.bodies).toEqual(['ONE', 'TWO', 'THREE']);
  client.send(post('four'));
  await expect.poll(client.bodies).toEqual(['ONE', 'TWO', 'THREE', 'FOUR']);
  expect(client.said()).toContain(
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nmark: /b\r\ndate: Fri, 02 Jan 2026 03:04:05 GMT\r\nconnection: keep-alive\r\n',
  );
  expect(native).toEqual([]);
});

test('a body may come behind its head, and whatever is not whole then goes to node:http with what was read', async () => {
  const { port, native, memory } = await aServer();
  const behind = aClient(port);
  const [head = ''] = post('behind').split('behind');
  behind.send(head);
  await expect.poll(() => memory.usedBytes).toBe(head.length);
  behind.send('behind');
  await expect.poll(behind.bodies).toEqual(['BEHIND']);
  const early = aClient(port);
  early.send(head.slice(0, 20));
  behind.send(post('again')); // by its answer the other's bytes were read too
  await expect.poll(behind.bodies).toEqual(['BEHIND', 'AGAIN']);
  early.send(`${head.slice(20)}behind`);
  await expect.poll(early.bodies).toEqual(['node BEHIND']);
  expect([native, memory.usedBytes]).toEqual([['/a'], 0]);
});

const others: Readonly<Record<string, string>> = {
  'a route that is not wanted': post('x', '/node'),
  'a method that is not plain': 'GET /a HTTP/1.1\r\nhost: a\r\n\r\n',
  'a body in chunks': 'POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
  'a body that is large': post('x'.repeat(2_000_000)),
  'a client that waits to go on': post('x', '/a', 'expect: 100-continue\r\n'),
};
test.each(Object.entries(others))(
  '%s goes to node:http, behind what was asked before, and the rest with it',
  async (_, bytes) => {
    const { port, native } = await aServer({
      handle: (_url, body, response) =>
        setImmediate(() => {
          response.writeHead(200, ['content-length', String(body.length)]);
          response.end(body, 'utf8');
        }),
    });
    const client = aClient(port);
    client.send(post('before') + bytes + post('after'));
    await expect.poll(() => native.length).toBe(2);
    await expect.poll(() => client.bodies().at(-1)?.toLowerCase()).toContain('node after');
    expect(client.bodies()[0]).toBe('before');
  },
);

test('a client that leaves is told of, once, and its answer goes nowhere', async () => {
  const told: string[] = [];
  let pending: RestResponse | undefined;
  const { port } = await aServer({
    handle(_url, _body, response) {
      pending = response;
      response.once('finish', () => told.push('finish'));
      response.once('close', () => told.push('close'));
    },
  });
  const client = aClient(port);
  client.send(post('x'));
  await expect.poll(() => pending !== undefined).toBe(true);
  client.socket.destroy();
  await expect.poll(() => pending?.destroyed).toBe(true);
  pending?.writeHead(200, {});
  pending?.end('late', 'utf8');
  expect(told).toEqual(['close']);
});

test('an answer that is not read counts until it is, or its client is cut for others', async () => {
  const { port, memory } = await aServer({
    budgetBytes: 100_000,
    handle(_url, _body, response) {
      response.writeHead(200, ['content-length', '30000000']);
      response.end(Buffer.alloc(30_000_000), 'utf8');
    },
  });
  const reading = aClient(port);
  const deaf = aClient(port);
  deaf.socket.pause();
  reading.send(post('x'));
  deaf.send(post('x'));
  await expect.poll(() => reading.said().length, { timeout: 5_000 }).toBeGreaterThan(30_000_000);
  expect(memory.usedBytes).toBeGreaterThan(1_000_000);
  const hasRoom = (): boolean => {
    try {
      memory.take(1);
      memory.give(1);
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(hasRoom, { timeout: 5_000 }).toBe(true);
  expect([memory.usedBytes, memory.cut]).toEqual([0, 1]);
});

test('a client that never closes its side does not keep a connection that we have closed', async () => {
  const asked: string[] = [];
  const { port, plain, memory, count } = await aServer({
    handle(_url, body, response) {
      asked.push(body.toString());
      response.setHeader('connection', 'close');
      response.writeHead(200, { 'content-length': 1 });
      response.end('x', 'latin1');
    },
  });
  const [closed, idle] = [aClient(port, true), aClient(port, true)];
  await expect.poll(count).toBe(2);
  closed.send(post('one') + post('two')); // what comes after the last one is read over
  await expect.poll(closed.bodies).toEqual(['x']);
  plain.closeIdle();
  await expect.poll(count).toBe(0);
  expect([asked, memory.usedBytes, idle.said()]).toEqual([['one'], 0, '']);
});

test('what is asked ahead of an answer counts until its turn comes, however long that takes', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const pending: (() => void)[] = [];
  const { port, memory, native } = await aServer({
    handle(_url, body, response) {
      pending.push(() => {
        response.writeHead(200, { 'content-length': 1 });
        response.end(body.subarray(0, 1), 'latin1');
      });
    },
  });
  const client = aClient(port);
  client.send(post('a'));
  await expect.poll(() => pending.length).toBe(1);
  const ahead = post('b'.repeat(3_000)) + post('c'.repeat(3_000));
  client.send(ahead);
  await expect.poll(() => memory.usedBytes).toBe(ahead.length);
  vi.advanceTimersByTime(20_000);
  for (let turn = 0; turn < 3; turn += 1) {
    await expect.poll(() => pending.length).toBe(1);
    expect(memory.usedBytes).toBe(Math.max(0, 2 - turn) * (ahead.length / 2));
    pending.shift()?.();
  }
  await expect.poll(client.bodies).toEqual(['a', 'b', 'c']);
  expect([native, memory.usedBytes]).toEqual([[], 0]);
});

test('who asks far ahead is read no further than its answers come', async () => {
  const asked: RestResponse[] = [];
  const { port, memory } = await aServer({ handle: (_url, _body, response) => void asked.push(response) });
  const client = aClient(port);
  const count = 20_000;
  client.send(post('a').repeat(count));
  await expect.poll(() => memory.usedBytes).toBeGreaterThan(8 * 1024);
  for (let turn = 0; turn < 200; turn += 1) {
    asked.at(-1)?.writeHead(200, { 'content-length': 1 });
    asked.at(-1)?.end('x', 'latin1');
    await new Promise((resolve) => void setTimeout(resolve, 1));
    expect(memory.usedBytes).toBeLessThan(160 * 1024); // two parts of what comes at once, of a million bytes
  }
  await expect.poll(() => client.bodies().length).toBe(200);
});

test('a header that would end its line is refused, as node:http refuses it', async () => {
  const refused: unknown[] = [];
  const { port } = await aServer({
    handle(_url, _body, response) {
      try {
        response.writeHead(200, ['mark', 'a\r\nset-cookie: b']);
      } catch (error) {
        refused.push(error);
        response.writeHead(500, { 'content-length': 0 });
        response.end('', 'utf8');
      }
    },
  });
  const client = aClient(port);
  client.send(post('x'));
  await expect.poll(client.said).toContain('HTTP/1.1 500 Internal Server Error');
  expect([refused.length, client.said().includes('set-cookie')]).toEqual([1, false]);
});

test('a server that stops answers what has come, and closes; connections that wait for nothing close at once', async () => {
  const pending: RestResponse[] = [];
  const { port, plain, drain } = await aServer({ handle: (_url, _body, response) => void pending.push(response) });
  const [idle, busy] = [aClient(port), aClient(port)];
  busy.send(post('one') + post('two'));
  await expect.poll(() => pending.length).toBe(1);
  drain();
  plain.closeIdle();
  await expect.poll(idle.isClosed).toBe(true);
  const answer = (body: string) => {
    pending.at(-1)?.writeHead(200, { 'content-length': body.length });
    pending.at(-1)?.end(body, 'utf8');
  };
  answer('first');
  await expect.poll(() => pending.length).toBe(2);
  answer('second');
  await expect.poll(busy.isClosed).toBe(true);
  expect(busy.bodies()).toEqual(['first', 'second']);
  expect(busy.said()).toContain('connection: close');
});
