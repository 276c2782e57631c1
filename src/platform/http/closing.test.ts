import { expect, test } from 'vitest';
import { createLogger } from '../log.ts';
import { registerRawRoute } from './raw-route.ts';
import { createHttpServer } from './server.ts';

test('a server that stops answers those who wait, instead of waiting for them', async () => {
  const app = await createHttpServer({
    logger: createLogger({ level: 'silent' }),
    authenticate: async () => ({ id: 'user:test', can: () => true }),
    allowedHosts: [],
    bodyLimitBytes: 1024,
    openApi: false,
  });
  let began: (() => void) | undefined;
  const waiting = new Promise<void>((resolve) => {
    began = resolve;
  });
  registerRawRoute(app, {
    id: 'test.wait',
    method: 'GET',
    path: '/wait',
    permission: 'read',
    handle: async (_request, reply, { signal }) => {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        began?.();
      });
      return reply.send('as it is');
    },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const address = app.server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const answer = fetch(`http://127.0.0.1:${port}/wait`);
  await waiting;
  await app.close();
  expect(await (await answer).text()).toBe('as it is');
});
