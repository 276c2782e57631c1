import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Type } from 'typebox';
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest';
import { defineOperation } from '#contracts/operation';
import { createClient, isTidemillError, type ServerEvent } from './index.ts';

const Thing = Type.Object({ name: Type.String(), note: Type.Union([Type.String(), Type.Null()]) });
const getThing = defineOperation({
  id: 'things.get',
  method: 'GET',
  path: '/api/v1/things/:name',
  summary: 'One thing',
  permission: 'read',
  params: Type.Object({ name: Type.String() }),
  query: Type.Object({ tag: Type.Optional(Type.Array(Type.String())), limit: Type.Optional(Type.Integer()) }),
  responses: { 200: Thing },
});
const patchThing = defineOperation({
  id: 'things.patch',
  method: 'PATCH',
  path: '/api/v1/things/:name',
  summary: 'Changes a thing',
  permission: 'write',
  params: Type.Object({ name: Type.String() }),
  body: Type.Object({ note: Type.Optional(Type.String()) }),
  responses: { 200: Thing, 204: Type.Null() },
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse, count: number) => unknown) {
  const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(request, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const thing = (response: ServerResponse) => response.end('{"name":"a","note":null}');

describe('a call', () => {
  test('sends the parts of its operation into the project, with the token', async () => {
    const { url, seen } = await serve((_request, response) => thing(response));
    const client = createClient({ url: `${url}/`, project: 'flights', token: 't' });
    await client.call(getThing, { params: { name: 'a/b c' }, query: { tag: ['x', 'y'], limit: 3 } });
    const named = { requestId: 'mine' };
    await client.inProject('other').call(patchThing, { params: { name: 'a' }, body: { note: 'n' } }, named);
    expect(seen).toMatchObject([
      {
        method: 'GET',
        url: '/projects/flights/api/v1/things/a%2Fb%20c?tag=x&tag=y&limit=3',
        headers: { authorization: 'Bearer t' },
      },
      {
        method: 'PATCH',
        url: '/projects/other/api/v1/things/a',
        body: '{"note":"n"}',
        headers: { 'content-type': 'application/json', 'x-request-id': 'mine' },
      },
    ]);
  });

  test('has the types of its operation', async () => {
    const { url } = await serve((_request, response) => thing(response));
    const client = createClient({ url });
    const found = await client.call(getThing, { params: { name: 'a' } });
    expectTypeOf(found).toEqualTypeOf<{ name: string; note: string | null }>();
    expect(found.note).toBeNull();
    // @ts-expect-error a parameter is missing
    void (() => client.call(getThing, {}));
    // @ts-expect-error a wrong type
    void (() => client.call(getThing, { params: { name: 'a' }, query: { limit: 'x' } }));
    // @ts-expect-error an undeclared field
    void (() => client.call(patchThing, { params: { name: 'a' }, body: { not: 'x' } }));
    // @ts-expect-error an undefined optional is not an absent one
    void (() => client.call(patchThing, { params: { name: 'a' }, body: { note: undefined } }));
    // @ts-expect-error no such field in the answer
    void found.rows;
  });

  test('that fails tells code, kind, status and request id', async () => {
    const { url } = await serve((_request, response) => {
      response.statusCode = 404;
      response.end('{"error":{"code":"THING_NOT_FOUND","message":"no thing","requestId":"r1","details":{"near":"b"}}}');
    });
    const error: unknown = await createClient({ url })
      .call(getThing, { params: { name: 'a' } })
      .catch((e: unknown) => e);
    expect(isTidemillError(error, 'THING_NOT_FOUND')).toBe(true);
    expect(error).toMatchObject({
      kind: 'not_found',
      status: 404,
      requestId: 'r1',
      message: 'no thing',
      details: { near: 'b' },
    });
  });

  test('answered by something that is not ours still makes a clear error', async () => {
    const { url } = await serve((_request, response) => {
      response.statusCode = 502;
      response.end('<html>Bad\n Gateway</html>');
    });
    const failed = createClient({ url, retries: 0 }).call(getThing, { params: { name: 'a' } });
    await expect(failed).rejects.toMatchObject({
      code: 'HTTP_502',
      kind: 'unavailable',
      message: expect.stringContaining('Bad Gateway'),
    });
  });

  test('is sent again when the server says "later"; what changes something always by the same key', async () => {
    const { url, seen } = await serve((_request, response, count) => {
      if (count % 3 !== 0) response.statusCode = 503;
      thing(response);
    });
    const client = createClient({ url });
    await client.call(getThing, { params: { name: 'a' } });
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined, undefined, undefined]);
    await client.call(patchThing, { params: { name: 'a' }, body: {} });
    await client.call(patchThing, { params: { name: 'a' }, body: {} }, { idempotencyKey: 'mine' });
    const keys = seen.slice(3).map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys).toEqual([keys[0], keys[0], keys[0], 'mine', 'mine', 'mine']);
  });

  test('that removes is not sent again: what it removed would then not be there', async () => {
    const { url, seen } = await serve((_request, response) => {
      response.statusCode = 503;
      response.end('{}');
    });
    const removeThing = defineOperation({ ...getThing, id: 'things.remove', method: 'DELETE' });
    const removed = createClient({ url }).call(removeThing, { params: { name: 'a' } });
    await expect(removed).rejects.toMatchObject({ status: 503 });
    expect(seen).toHaveLength(1);
  });

  test('without a server says that none answers', async () => {
    const failed = createClient({ url: 'http://127.0.0.1:1', retries: 1 }).call(getThing, { params: { name: 'a' } });
    await expect(failed).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE', kind: 'unavailable', status: 0 });
  });

  test('answered without content gives null', async () => {
    const { url } = await serve((_request, response) => {
      response.statusCode = 204;
      response.end();
    });
    expect(await createClient({ url }).call(patchThing, { params: { name: 'a' }, body: {} })).toBeNull();
  });
});

test('a raw request gives the answer itself and takes bytes', async () => {
  const { url, seen } = await serve((_request, response) => response.end(Buffer.from([1, 2, 3])));
  const response = await createClient({ url }).request('/api/v1/artifacts/x', {
    method: 'PUT',
    body: new Uint8Array([9]),
  });
  expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 3]);
  expect(seen[0]).toMatchObject({ method: 'PUT', body: '\t' });
});

describe('a stream', () => {
  test('gives events however the bytes are cut, and goes on from the last id when the connection breaks', async () => {
    const { url, seen } = await serve((_request, response, count) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (count > 1) return response.write('id: 3\ndata: {"n":3}\n\n');
      response.write(':\n\nid: 1\nevent: change\nda');
      return setImmediate(() => response.end('ta: {"n":1}\r\n\r\nid: 2\ndata: {"n":\ndata: 2}\n\n'));
    });
    const controller = new AbortController();
    const events: ServerEvent[] = [];
    for await (const event of createClient({ url }).stream('/live', { signal: controller.signal })) {
      events.push(event);
      if (event.id === '3') controller.abort();
    }
    expect(events).toEqual([
      { id: '1', event: 'change', data: { n: 1 } },
      { id: '2', event: 'message', data: { n: 2 } },
      { id: '3', event: 'message', data: { n: 3 } },
    ]);
    expect(seen.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2']);
  });

  test('that the server refuses fails', async () => {
    const { url } = await serve((_request, response) => {
      response.statusCode = 403;
      response.end();
    });
    const first = createClient({ url }).stream('/live').next();
    await expect(first).rejects.toMatchObject({ kind: 'forbidden' });
  });
});
