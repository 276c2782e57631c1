import { createHash, randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createControlClient } from './control-client.ts';

/** Many pieces, and a rest. */
const body = randomBytes(1_000_001);

async function aServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function put(url: string) {
  const client = createControlClient({ url, token: undefined });
  onTestFinished(() => client.close());
  return client.send({ method: 'PUT', path: '/spool', body, timeoutMs: 10_000 });
}

test('a body that is sent in pieces comes whole', async () => {
  const url = await aServer((request, response) => {
    const hash = createHash('sha256');
    request.on('data', (piece: Buffer) => hash.update(piece)).on('end', () => response.end(hash.digest('hex')));
  });
  expect((await put(url)).body.toString()).toBe(createHash('sha256').update(body).digest('hex'));
});

test('an answer that comes before the body has gone is an answer', async () => {
  const url = await aServer((_request, response) => {
    response.writeHead(429).end();
  });
  expect((await put(url)).status).toBe(429);
});

test.each([
  { what: 'a connection that ends in the middle of a body', listener: true },
  { what: 'nobody who listens', listener: false },
])('$what is told', async ({ listener }) => {
  const url = await aServer((request) => request.once('data', () => request.destroy()));
  await expect(put(listener ? url : 'http://127.0.0.1:9')).rejects.toMatchObject({ code: 'CONTROL_PLANE_UNREACHABLE' });
});
