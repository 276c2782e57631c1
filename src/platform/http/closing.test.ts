import { Agent, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../log.ts';
import { type RawRoute, registerRawRoute } from './raw-route.ts';
import { createHttpServer } from './server.ts';

async function serve(handle: RawRoute['handle']) {
  const app = await createHttpServer({
    logger: createLogger({ level: 'silent' }),
    authenticate: async () => ({ id: 'user:test', can: () => true }),
    allowedHosts: [],
    bodyLimitBytes: 1024,
    openApi: false,
  });
  registerRawRoute(app, { id: 'test.wait', method: 'GET', path: '/wait', permission: 'read', handle });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/wait` };
}

test('a server that stops answers those who wait, instead of waiting for them', async () => {
  let began: (() => void) | undefined;
  const waiting = new Promise<void>((resolve) => {
    began = resolve;
  });
  const { app, url } = await serve(async (_request, reply, { signal }) => {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      began?.();
    });
    return reply.send('as it is');
  });
  const answer = fetch(url);
  await waiting;
  await app.close();
  expect(await (await answer).text()).toBe('as it is');
});

test('a connection whose answer had begun before the stop is not kept alive after it', async () => {
  const body = new PassThrough();
  const { app, url } = await serve(async (_request, reply) => await reply.send(body));
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  body.write('first');
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent }, resolve).on('error', reject);
  });
  expect(response.headers.connection).toBe('keep-alive');
  const ended = new Promise<void>((resolve) => response.socket.once('close', () => resolve()));
  const closed = app.close();
  await expect.poll(() => app.server.listening).toBe(false);
  body.end('rest');
  response.resume();
  await ended; // by the server: the client would use it again
  await closed;
}, 20_000);
