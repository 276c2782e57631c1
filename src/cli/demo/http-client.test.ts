import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpClient } from './http-client.ts';

test('each request shows the token, when there is one', async () => {
  const shown: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    shown.push(request.headers.authorization);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (const token of ['secret', undefined]) {
    const http = createHttpClient({ connections: 1, token, signal: new AbortController().signal });
    expect((await http.get(url)).status).toBe(200);
    expect((await http.postJson(url, {})).status).toBe(200);
    http.close();
  }
  expect(shown).toEqual(['Bearer secret', 'Bearer secret', undefined, undefined]);
});
