import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { describe, expect, test } from 'vitest';
import { openTestServer } from '../testing/http.ts';
import { openEventStream } from './event-stream.ts';
import { registerRawRoute } from './raw-route.ts';

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.server.address() as AddressInfo).port;
}

describe('a live stream', () => {
  test('carries messages with ids, tells where the reader stopped, and ends when the server stops', async () => {
    const app = await openTestServer();
    const seen: (string | undefined)[] = [];
    registerRawRoute(app, {
      method: 'GET',
      path: '/live',
      permission: 'public',
      handle: (_request, reply) => {
        const stream = openEventStream(reply, { heartbeatMs: 5 });
        seen.push(stream.lastEventId);
        stream.send({ id: '7', event: 'change', data: { text: 'a\nb' } });
      },
    });
    const port = await listen(app);
    const response = await fetch(`http://127.0.0.1:${port}/live`, { headers: { 'last-event-id': '6' } });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    let text = '';
    const decoder = new TextDecoder();
    let closing: Promise<void> | undefined;
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array);
      if (text.endsWith(':\n\n')) closing ??= Promise.resolve(app.close()); // a heartbeat came
    }
    await closing;
    expect(text.startsWith('id: 7\nevent: change\ndata: {"text":"a\\nb"}\n\n')).toBe(true);
    expect(seen).toEqual(['6']);
  });

  test('drops messages for a reader that does not read, and resets it when it reads again', async () => {
    const app = await openTestServer();
    let sent = 0;
    const flooded = new Promise<void>((resolve) => {
      registerRawRoute(app, {
        method: 'GET',
        path: '/flood',
        permission: 'public',
        handle: (_request, reply) => {
          const stream = openEventStream(reply, { maxBufferedBytes: 64 * 1024 });
          const data = 'x'.repeat(10_000);
          const flood = () => {
            for (let index = 0; index < 100; index += 1) stream.send({ id: `${(sent += 1)}`, data });
            if (sent < 2_000) setImmediate(flood);
            else resolve();
          };
          flood();
        },
      });
    });
    const port = await listen(app);
    const text = await new Promise<string>((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1', path: '/flood' }, (response) => {
        response.pause();
        let received = '';
        response.on('data', (chunk: Buffer) => {
          received += chunk.toString();
          if (!received.includes('event: reset')) return;
          response.destroy();
          resolve(received);
        });
        void flooded.then(() => response.resume());
      })
        .on('error', reject)
        .end();
    });
    expect(text.match(/^id: /gm)?.length ?? 0).toBeLessThan(2_000);
    expect(text.endsWith('event: reset\ndata: {}\n\n')).toBe(true);
  });

  test('a caller that goes away aborts the signal of its request', async () => {
    const app = await openTestServer();
    const aborted = new Promise<void>((resolve) => {
      registerRawRoute(app, {
        method: 'GET',
        path: '/slow',
        permission: 'public',
        handle: async (_request, reply, context) => {
          await new Promise<void>((done) => context.signal.addEventListener('abort', () => done()));
          resolve();
          return reply.hijack();
        },
      });
    });
    const port = await listen(app);
    const controller = new AbortController();
    const asked = fetch(`http://127.0.0.1:${port}/slow`, { signal: controller.signal });
    app.server.once('request', () => setImmediate(() => controller.abort()));
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    await aborted;
  });
});
