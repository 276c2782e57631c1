import { EventEmitter, once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defineOperation, type Permission } from '#contracts/operation';
import { AppError } from '../errors.ts';
import { createLogger } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { talkTo } from '../testing/raw-connection.ts';
import { registerOperation } from './operation-route.ts';
import { registerRawRoute } from './raw-route.ts';
import { createHttpServer, type Denial, type HttpServerOptions } from './server.ts';

const Thing = Type.Object(
  { name: Type.String(), note: Type.Union([Type.String(), Type.Null()]), project: Type.String() },
  { $id: 'Thing' },
);
const putThing = defineOperation({
  id: 'things.put',
  method: 'PUT',
  path: '/api/v1/things/:name',
  summary: 'Keeps a thing',
  permission: 'write',
  params: Type.Object({ name: Type.String() }),
  query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) }),
  body: Type.Object({
    note: Type.Union([Type.String(), Type.Null()]),
    inner: Type.Optional(Type.Object({ count: Type.Integer() })),
  }),
  responses: { 200: Thing },
});
const listThings = defineOperation({
  id: 'things.list',
  method: 'GET',
  path: '/api/v1/things',
  summary: 'Lists things',
  permission: 'read',
  responses: { 200: Type.Object({ items: Type.Array(Thing) }) },
});

async function open(options: Partial<HttpServerOptions> = {}) {
  const lines: Record<string, unknown>[] = [];
  const app = await createHttpServer({
    logger: createLogger({ destination: { write: (line) => void lines.push(JSON.parse(line)) } }),
    authenticate: async ({ headers }) => {
      if (headers.authorization === undefined) throw new AppError('TOKEN_MISSING', 'unauthenticated', 'send a token');
      const allowed = headers.authorization.split(' ');
      return {
        id: 'user:test',
        can: (permission: Permission, project) => allowed.includes(`${project}:${permission}`),
      };
    },
    allowedHosts: ['tidemill.example'],
    bodyLimitBytes: 1_000,
    checkAnswers: true,
    ...options,
  });
  onTestFinished(() => app.close());
  registerOperation(app, putThing, async ({ params, body, context }, answer) =>
    answer(200, { name: params.name, note: body.note, project: context.project }),
  );
  registerOperation(app, listThings, async (_call, answer) => answer(200, { items: [] }));
  return { app, lines };
}

const editor = { authorization: 'default:write default:read flights:write' };
const put = (app: FastifyInstance, payload: unknown, more: { url?: string; headers?: Record<string, string> } = {}) =>
  app.inject({
    method: 'PUT',
    url: more.url ?? '/api/v1/things/a',
    headers: { 'content-type': 'application/json', ...editor, ...more.headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });

describe('a project in the URL', () => {
  test('is stripped from any path and reaches the handler; without it the project is default', async () => {
    const { app } = await open();
    const inFlights = await put(app, { note: null }, { url: '/projects/flights/api/v1/things/a' });
    expect(inFlights.json()).toEqual({ name: 'a', note: null, project: 'flights' });
    expect((await put(app, { note: 'x' })).json()).toMatchObject({ project: 'default' });
  });

  test('leaves the page of a project and names that are none alone', async () => {
    const { app } = await open();
    for (const url of ['/projects/flights', '/projects/..%2f/api/v1/things/a'])
      expect((await app.inject({ url, headers: editor })).json()).toMatchObject({ error: { code: 'ROUTE_NOT_FOUND' } });
    const broken = await app.inject({ url: '/projects/%zz/api/v1/things/a', headers: editor });
    expect([broken.statusCode, broken.json()]).toMatchObject([400, { error: { code: 'PATH_MALFORMED' } }]);
  });

  test('must exist when a way to ask is given, after the permission', async () => {
    const { app } = await open({
      requireProject: async (name) => {
        throw new AppError('PROJECT_NOT_FOUND', 'not_found', `no project ${name}`);
      },
    });
    expect((await put(app, { note: 'x' }, { url: '/projects/flights/api/v1/things/a' })).statusCode).toBe(404);
    expect((await put(app, { note: 'x' }, { url: '/projects/secret/api/v1/things/a' })).statusCode).toBe(403);
    expect((await put(app, { note: 'x' })).statusCode).toBe(200);
  });
});

test('who may ask for nothing in a project does not learn whether it is there', async () => {
  const { app } = await open({
    requireProject: async (name) => {
      throw new AppError('PROJECT_NOT_FOUND', 'not_found', `no project ${name}`);
    },
  });
  for (const [path, access] of [
    ['/public', { permission: 'public' }],
    ['/own-rules', { permission: 'read', asksItself: true }],
  ] as const)
    registerRawRoute(app, { method: 'GET', path, ...access, handle: (_request, _reply, { project }) => ({ project }) });
  for (const path of ['/public', '/own-rules'])
    expect((await app.inject({ url: `/projects/secret${path}`, headers: editor })).json()).toEqual({
      project: 'secret',
    });
});

describe('permission', () => {
  test('a route that declares none cannot be registered', async () => {
    const { app } = await open();
    expect(() => app.get('/open', async () => 'x')).toThrow('declares no permission');
  });

  test('is asked for in the project of the request, and a refusal is heard', async () => {
    const denials: Denial[] = [];
    const { app } = await open({ onDenied: (denial) => denials.push(denial) });
    const refused = await app.inject({ url: '/projects/flights/api/v1/things', headers: editor });
    expect(refused.statusCode).toBe(403);
    expect(refused.json()).toMatchObject({ error: { code: 'PERMISSION_DENIED' } });
    expect(denials).toMatchObject([
      { principal: 'user:test', permission: 'read', project: 'flights', operation: 'things.list' },
    ]);
  });

  test('a caller who is not known gets 401, before the body is read', async () => {
    const { app } = await open();
    const answer = await app.inject({ method: 'PUT', url: '/api/v1/things/a', payload: 'x'.repeat(5_000) });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.json()).toMatchObject({ error: { code: 'TOKEN_MISSING', message: 'send a token' } });
  });
});

describe('a request', () => {
  test('keeps null in its body and is refused for unknown fields, wrong types and unknown query', async () => {
    const { app } = await open();
    expect((await put(app, { note: null })).json()).toMatchObject({ note: null });
    const unknown = await put(app, { not: 'x', note: 'x' });
    expect(unknown.statusCode).toBe(400);
    expect(unknown.json()).toMatchObject({
      error: {
        code: 'REQUEST_INVALID',
        message: 'body has the unknown field "not"; did you mean "note"?',
        details: { part: 'body', pointer: '' },
      },
    });
    const inner = await put(app, { note: 'x', inner: { count: 1, extra: 1 } });
    expect(inner.json()).toMatchObject({ error: { details: { pointer: '/inner' } } });
    const wrongType = await put(app, { note: 'x', inner: { count: '7' } });
    expect(wrongType.json()).toMatchObject({ error: { message: 'body/inner/count must be integer' } });
    const query = await put(app, { note: 'x' }, { url: '/api/v1/things/a?limit=0' });
    expect(query.json()).toMatchObject({ error: { message: 'query/limit must be >= 1' } });
    expect((await put(app, { note: 'x' }, { url: '/api/v1/things/a?limit=2' })).statusCode).toBe(200);
    const undeclared = await app.inject({ url: '/api/v1/things?x=1', headers: editor });
    expect(undeclared.json()).toMatchObject({
      error: { message: 'query has the unknown field "x"; none is expected' },
    });
  });

  test('has an id: its own when sane, else a new one, in the answer and in errors', async () => {
    const { app } = await open();
    const own = await app.inject({ url: '/nowhere', headers: { 'x-request-id': 'mine-1' } });
    expect(own.headers['x-request-id']).toBe('mine-1');
    expect(own.json()).toEqual({
      error: { code: 'ROUTE_NOT_FOUND', message: 'there is nothing at GET /nowhere', requestId: 'mine-1' },
    });
    const made = await app.inject({ url: '/nowhere', headers: { 'x-request-id': 'bad id\u0001' } });
    expect(made.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('with a body that is too large, malformed or of another kind is refused with a coded error', async () => {
    const { app } = await open();
    const large = await put(app, { note: 'x'.repeat(2_000) });
    expect([large.statusCode, large.json()]).toMatchObject([413, { error: { code: 'BODY_TOO_LARGE' } }]);
    const malformed = await put(app, '{"note":');
    expect([malformed.statusCode, malformed.json()]).toMatchObject([400, { error: { code: 'BODY_MALFORMED' } }]);
    const xml = await put(app, '<a/>', { headers: { 'content-type': 'text/xml' } });
    expect([xml.statusCode, xml.json()]).toMatchObject([415, { error: { code: 'MEDIA_TYPE_UNSUPPORTED' } }]);
  });
});

describe('the caller', () => {
  test('must address the server by one of its names', async () => {
    const { app } = await open();
    const status = async (host: string) =>
      (await app.inject({ url: '/api/v1/things', headers: { ...editor, host } })).statusCode;
    for (const host of ['localhost:7878', '127.0.0.1', '[::1]:80', 'Tidemill.Example:443', 'tidemill.example.'])
      expect(await status(host)).toBe(200);
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example'])
      expect(await status(host)).toBe(403);
    const refused = await app.inject({ url: '/nowhere', headers: { host: 'evil.example' } });
    expect(refused.json()).toMatchObject({ error: { code: 'HOST_NOT_ALLOWED' } });
    const probe = await app.inject({ url: '/health/live', headers: { host: '10.0.0.7:7878' } });
    expect(probe.statusCode).toBe(200);
  });

  test('may not change anything from a page of another origin, and never gets a CORS header', async () => {
    const { app } = await open();
    const from = (headers: Record<string, string>) => put(app, { note: 'x' }, { headers });
    expect((await from({ origin: 'http://localhost:80', host: 'localhost:80' })).statusCode).toBe(200);
    for (const origin of ['http://evil.example', 'null', 'http://localhost:5173'])
      expect((await from({ origin })).json()).toMatchObject({ error: { code: 'ORIGIN_NOT_ALLOWED' } });
    expect((await from({ 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    const read = await app.inject({ url: '/api/v1/things', headers: { ...editor, origin: 'http://evil.example' } });
    expect(Object.keys(read.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('a failure', () => {
  test('that nobody declared is told in general words and logged whole, once, under the same id', async () => {
    const { app, lines } = await open();
    registerRawRoute(app, {
      method: 'GET',
      path: '/broken',
      permission: 'public',
      handle: () => {
        throw new Error('password of the database is x');
      },
    });
    const answer = await app.inject('/broken');
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('password');
    const { requestId } = answer.json<{ error: { requestId: string } }>().error;
    expect(lines).toMatchObject([{ level: 'error', requestId, err: { message: 'password of the database is x' } }]);
  });

  test('that means "later" keeps its words and is a warning', async () => {
    const { app, lines } = await open();
    registerRawRoute(app, {
      method: 'GET',
      path: '/full',
      permission: 'public',
      handle: () => {
        throw new AppError('SPOOL_FULL', 'unavailable', 'the spool is full');
      },
    });
    expect((await app.inject('/full')).json()).toMatchObject({
      error: { code: 'SPOOL_FULL', message: 'the spool is full' },
    });
    expect(lines).toMatchObject([{ level: 'warn' }]);
  });

  test('takes the form of a foreign protocol where a route says so, refused permission included', async () => {
    const { app } = await open();
    registerRawRoute(app, {
      method: 'GET',
      path: '/api/2.0/foreign',
      permission: 'admin',
      renderError: (error) => ({ error_code: error.code }),
      handle: () => ({}),
    });
    const answer = await app.inject({ url: '/api/2.0/foreign', headers: editor });
    expect([answer.statusCode, answer.json()]).toEqual([403, { error_code: 'PERMISSION_DENIED' }]);
  });

  test('takes that form also where there is no route to say so', async () => {
    const { app } = await open({
      foreignErrors: (path) =>
        /\/api\/2\.0\//.test(path) ? (error, _request, reply) => (reply.status(404), { code: error.code }) : undefined,
    });
    for (const url of [
      '/api/2.0/nothing',
      '/api/2.0/%zz',
      '/projects/flights/api/2.0/a%2',
      '/projects/%zz/api/2.0/a',
    ]) {
      const answer = await app.inject({ url, headers: editor });
      expect([answer.statusCode, answer.json()]).toEqual([404, { code: expect.stringMatching(/NOT_FOUND|MALFORMED/) }]);
      expect(answer.headers['x-request-id']).toBeDefined();
    }
    expect((await app.inject('/elsewhere/%zz')).json()).toMatchObject({ error: { code: 'PATH_MALFORMED' } });
  });

  test('to answer as declared is found in tests', async () => {
    const { app, lines } = await open();
    const lying = defineOperation({ ...listThings, id: 'things.lie', path: '/api/v1/lies' });
    registerOperation(app, lying, async (_call, answer) => answer(200, JSON.parse('{"items":[{}]}')));
    expect((await app.inject({ url: '/api/v1/lies', headers: editor })).statusCode).toBe(500);
    expect(JSON.stringify(lines)).toContain('things.lie answered 200 against its schema');
  });
});

describe('a sensitive operation', () => {
  const look = defineOperation({
    id: 'things.look',
    method: 'GET',
    path: '/api/v1/predictions/:id',
    summary: 'Look.',
    permission: 'read',
    sensitive: 'prediction',
    params: Type.Object({ id: Type.String() }),
    responses: { 200: Type.Object({ seen: Type.Boolean() }) },
  });

  test('is written down beside its handler, and answered once that is done', async () => {
    const order: string[] = [];
    const written = new EventEmitter();
    const { app } = await open({
      onSensitive: (read) => {
        order.push(`${read.principal} ${read.operation} ${read.project} ${read.subjects.join()}`);
        return once(written, 'done').then(() => void order.push('recorded'));
      },
    });
    registerOperation(app, look, async (_call, answer) => {
      order.push('handled');
      setImmediate(() => written.emit('done'));
      return answer(200, { seen: true });
    });
    const answer = await app.inject({ url: '/api/v1/predictions/p1', headers: editor });
    order.push(`answered ${answer.statusCode}`);
    expect(order).toEqual([
      expect.stringMatching(/ things\.look default prediction:p1$/),
      'handled',
      'recorded',
      'answered 200',
    ]);
    // a refused one is told as a denial
    expect((await app.inject('/api/v1/predictions/p1')).statusCode).toBe(401);
    expect(order).toHaveLength(4);
  });

  test('of many things is written down in one go, and of none not at all', async () => {
    const reads: (readonly string[])[] = [];
    const { app } = await open({ onSensitive: async ({ subjects }) => void reads.push(subjects) });
    registerRawRoute(app, {
      method: 'GET',
      path: '/many',
      permission: 'read',
      sensitive: ({ query }) => [(query as { readonly id?: string[] }).id ?? []].flat(),
      handle: async () => 'seen',
    });
    expect((await app.inject({ url: '/many?id=a&id=b', headers: editor })).statusCode).toBe(200);
    expect((await app.inject({ url: '/many', headers: editor })).statusCode).toBe(200);
    expect(reads).toEqual([['a', 'b']]);
  });

  test('is not answered when it cannot be written down', async () => {
    const { app } = await open({ onSensitive: async () => Promise.reject(new Error('the disk is full')) });
    registerOperation(app, look, async (_call, answer) => answer(200, { seen: true }));
    const answer = await app.inject({ url: '/api/v1/predictions/p1', headers: editor });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('seen');
  });
});

test('a byte route reads any content type beyond the body limit', async () => {
  const { app } = await open();
  registerRawRoute(app, {
    method: 'POST',
    path: '/bytes',
    permission: 'write',
    body: 'stream',
    handle: async (request) => {
      let sizeBytes = 0;
      for await (const chunk of request.body as AsyncIterable<Buffer>) sizeBytes += chunk.length;
      return { sizeBytes };
    },
  });
  for (const type of ['application/octet-stream', 'application/json', 'text/csv']) {
    const headers = { ...editor, 'content-type': type };
    const answer = await app.inject({ method: 'POST', url: '/bytes', headers, payload: Buffer.alloc(5_000) });
    expect(answer.json()).toEqual({ sizeBytes: 5_000 });
  }
  const bare = await app.inject({ method: 'POST', url: '/bytes', headers: editor, payload: Buffer.alloc(7) });
  expect(bare.json()).toEqual({ sizeBytes: 7 });
});

test('an upload that is refused before its end gets its answer, and its connection is not used again', async () => {
  const { app } = await open();
  registerRawRoute(app, {
    method: 'PUT',
    path: '/bytes',
    permission: 'write',
    body: 'stream',
    handle: async (request) => {
      for await (const chunk of request.body as AsyncIterable<Buffer>)
        throw new AppError('TOO_MUCH', 'too_large', `${chunk.length} bytes are too much`);
      return {};
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const port = await listen(app);
  const send = async (method: string, path: string, payload: Buffer | string) => {
    const request = httpRequest({ agent, port, host: '127.0.0.1', method, path, headers: editor });
    request.end(payload);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return [response.statusCode, response.headers.connection];
  };
  expect(await send('PUT', '/bytes', Buffer.alloc(1_500_000))).toEqual([413, 'close']);
  expect((await send('GET', '/health/live', ''))[0]).toBe(200);
});

/** The beginning of a request whose body follows. */
const head = (path: string, length: string) =>
  `PUT ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${editor.authorization}\r\nContent-Type: application/json\r\n${length}\r\n\r\n`;

describe('a JSON body that is too large', () => {
  const refused = { status: 413, body: expect.stringContaining('BODY_TOO_LARGE') };

  test('is answered, and its connection goes on when little of it is left', async () => {
    const { app } = await open();
    const talk = talkTo(await listen(app));
    for (const [announced, sent] of [
      ['Content-Length: 1001', 'x'.repeat(1001)],
      ['Content-Length: 1000000', 'x'.repeat(1_000_000)],
      ['Transfer-Encoding: chunked', `${(900_000).toString(16)}\r\n${'x'.repeat(900_000)}\r\n0\r\n\r\n`],
    ] as const) {
      talk.send(head('/api/v1/things/a', announced));
      talk.send(sent);
      expect([announced, await talk.answer()]).toEqual([announced, refused]);
      expect((await talk.ask('GET /health/live HTTP/1.1')).status).toBe(200);
    }
  });

  test('is answered once and ended when much of it is left', async () => {
    const { app } = await open();
    const port = await listen(app);
    for (const announced of ['Content-Length: 100000000000', 'Transfer-Encoding: chunked']) {
      const talk = talkTo(port);
      talk.send(head('/api/v1/things/a', announced));
      if (announced.startsWith('Transfer')) talk.send(`${(3_000_000).toString(16)}\r\n${'x'.repeat(3_000_000)}\r\n`);
      expect([announced, await talk.answer()]).toEqual([announced, refused]);
      await talk.closed;
    }
  });
});

test('health says what is missing', async () => {
  let up = false;
  const readiness = [
    {
      name: 'database',
      check: async () => {
        if (!up) throw new Error('not open yet');
      },
    },
  ];
  const { app } = await open({ readiness });
  expect((await app.inject('/health/live')).json()).toEqual({ status: 'live' });
  const before = await app.inject('/health/ready');
  expect([before.statusCode, before.json()]).toEqual([
    503,
    { status: 'not_ready', checks: [{ name: 'database', ok: false, message: 'not open yet' }] },
  ]);
  up = true;
  expect((await app.inject('/health/ready')).json()).toMatchObject({ status: 'ready' });
});

test('OpenAPI 3.1 is printed from the operations, named schemas once', async () => {
  const { app } = await open();
  const document = (await app.inject('/api/v1/openapi.json')).json<{
    paths: object;
    components: { schemas: object };
  }>();
  expect(document).toMatchObject({ openapi: '3.1.0' });
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/api/v1/things/{name}', '/api/v1/things', '/health/ready']),
  );
  expect(Object.keys(document.components.schemas)).toContain('Thing');
  expect(JSON.stringify(document)).not.toContain('~kind');
  expect(JSON.stringify(document)).not.toContain('/metrics');
});

test('requests are counted by operation and status', async () => {
  const { app } = await open({ metrics: createMetrics({ version: '1.2.3', process: 'test' }) });
  await app.inject({ url: '/api/v1/things', headers: editor });
  await app.inject({ url: '/nowhere' });
  const { body } = await app.inject({ url: '/metrics', headers: editor });
  expect(body).toContain('tidemill_http_requests_total{operation="things.list",status="200"} 1');
  expect(body).toContain('tidemill_http_requests_total{operation="none",status="404"} 1');
  expect(body).toContain('tidemill_build_info{version="1.2.3",process="test"');
  expect(body).toContain('tidemill_nodejs_eventloop_lag');
});

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.server.address() as AddressInfo).port;
}
