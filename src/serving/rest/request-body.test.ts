import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { createRequestMemory } from '../request-memory.ts';
import { readBody } from './request-body.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Reads bodies, and says what became of each. */
async function aServer(maxBytes: number, budgetBytes = 100_000_000) {
  const memory = createRequestMemory(budgetBytes);
  const read: (string | number)[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const body = await readBody({ request, response }, maxBytes, memory);
      read.push(body.length);
      memory.give(body.length);
      response.end(body);
    } catch (error) {
      read.push((error as Error).message);
      response.writeHead(400, { connection: 'close' }).end();
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1').resume();
  socket.on('error', () => undefined);
  onTestFinished(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
    memory.close();
  });
  return { memory, read, socket, send: (text: string) => void socket.write(text) };
}

const head = (field: string) => `POST / HTTP/1.1\r\nhost: a\r\n${field}\r\n\r\n`;
const chunked = head('transfer-encoding: chunked');

test('a body of very many chunks takes no more memory than its bytes', { timeout: 60_000 }, async () => {
  const { memory, read, send } = await aServer(1_000_000);
  send(chunked);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  send('1\r\nx\r\n'.repeat(300_000));
  await expect.poll(() => memory.usedBytes, { timeout: 30_000 }).toBeGreaterThanOrEqual(300_000);
  await new Promise((resolve) => void setTimeout(resolve, 100));
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(15_000_000); // each chunk kept is some 100 bytes
  send('3\r\nabc\r\n0\r\n\r\n');
  await expect.poll(() => read).toEqual([300_003]);
  expect(memory.usedBytes).toBe(0);
});

test('bodies come whole, in one chunk or many, with a length or without', async () => {
  const { memory, read, send } = await aServer(100_000);
  const length = head('content-length: 50000');
  send(`${head('content-length: 3')}abc`);
  await expect.poll(() => read.length).toBe(1);
  send(length);
  for (let part = 0; part < 50; part += 1) {
    send('x'.repeat(1_000));
    await new Promise((resolve) => void setImmediate(resolve));
  }
  send(head('content-length: 0'));
  send(`${chunked}0\r\n\r\n`);
  send(`${chunked}2\r\nab\r\n3\r\nabc\r\n0\r\n\r\n`);
  await expect.poll(() => read).toEqual([3, 50_000, 0, 0, 5]);
  expect(memory.usedBytes).toBe(0);
});

test('a packed body whose client is gone when its turn comes is not unpacked', async () => {
  const { memory, read, send, socket } = await aServer(1_000_000);
  const turns: (() => void)[] = [];
  for (let turn = 0; turn < 2; turn += 1)
    void memory.unpacking.take({}, () => new Promise<void>((resolve) => void turns.push(resolve)));
  const packed = gzipSync('a');
  send(head(`content-encoding: gzip\r\ncontent-length: ${packed.length}`));
  socket.write(packed);
  await expect.poll(() => memory.usedBytes).toBe(packed.length);
  const closed = new Promise((resolve) => void socket.once('close', resolve));
  socket.destroy();
  await closed;
  await new Promise((resolve) => void setTimeout(resolve, 50)); // for the server to hear of it
  for (const end of turns) end();
  await expect.poll(() => read).toEqual(['the client is gone']);
  expect(memory.usedBytes).toBe(0);
});

test('what is too long, finds no room or breaks off gives back what it has taken', async () => {
  const long = await aServer(10);
  long.send(`${chunked}6\r\nabcdef\r\n6\r\nabcdef\r\n`);
  await expect.poll(() => long.read).toEqual(['the body is longer than 10 bytes']);
  const full = await aServer(10_000, 5_000);
  full.memory.hold(4_000);
  full.send(`${head('content-length: 9000')}${'x'.repeat(1_500)}`);
  await expect.poll(() => full.read).toEqual([expect.stringContaining('try again shortly')]);
  const tight = await aServer(10_000, 5_000);
  tight.memory.hold(1_000);
  tight.send(`${chunked}5dc\r\n${'x'.repeat(1_500)}\r\n`);
  await expect.poll(() => tight.memory.usedBytes).toBe(2_500); // four times as much is not free, so no more than came
  tight.send('0\r\n\r\n');
  await expect.poll(() => tight.read).toEqual([1_500]);
  const broken = await aServer(10_000);
  broken.send(`${head('content-length: 9000')}${'x'.repeat(800)}`);
  await expect.poll(() => broken.memory.usedBytes).toBeGreaterThan(0);
  broken.socket.destroy();
  await expect.poll(() => broken.read).toEqual(['the request ended before its body']);
  expect([long, full, broken].map(({ memory }) => memory.usedBytes)).toEqual([0, 4_000, 0]);
});
