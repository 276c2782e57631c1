import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { defineOperation } from '#contracts/operation';
import { AppError } from '../errors.ts';
import { describeDatabases, type TestDatabase } from '../testing/database.ts';
import { openTestServer } from '../testing/http.ts';
import { createIdempotency, keptMs } from './idempotency.ts';
import { registerOperation } from './operation-route.ts';

const makeThing = defineOperation({
  id: 'things.make',
  method: 'POST',
  path: '/api/v1/things/:name',
  summary: 'Makes a thing',
  permission: 'write',
  params: Type.Object({ name: Type.String() }),
  body: Type.Object({ size: Type.Integer(), note: Type.Optional(Type.String()) }),
  responses: { 201: Type.Object({ number: Type.Integer(), size: Type.Integer() }) },
});
const makeSecret = defineOperation({
  ...makeThing,
  id: 'secrets.make',
  path: '/api/v1/secrets/:name',
  secretAnswer: true,
});

/** What a handler does beside making the thing: holds on, fails before or after it has written. */
interface Behaviour {
  beforeWrite?: () => Promise<void>;
  afterWrite?: () => Promise<void>;
}

/** A server whose operation leaves one event for each time that it was carried out. */
async function open(database: TestDatabase, behaviour: Behaviour = {}) {
  let calls = 0;
  const app = await openTestServer({
    idempotency: createIdempotency({ database, clock: database.clock, ids: database.ids }),
    authenticate: async ({ headers }) => ({ id: `user:${headers.authorization ?? 'ada'}`, can: () => true }),
  });
  for (const operation of [makeThing, makeSecret])
    registerOperation(app, operation, async ({ body, context }, answer) => {
      calls += 1;
      await behaviour.beforeWrite?.();
      await database.write(context.write, (unit) =>
        unit.emit({
          type: 'secret.removed',
          project: context.project,
          subject: 'secret:x',
          data: { secret: String(body.size) },
        }),
      );
      await behaviour.afterWrite?.();
      return answer(201, { number: calls, size: body.size });
    });
  return {
    calls: () => calls,
    async made(): Promise<number> {
      const { count } = await database.read
        .query<{ events: { id: string; type: string } }>()
        .selectFrom('events')
        .select((of) => of.fn.countAll<number>().as('count'))
        .where('events.type', '=', 'secret.removed')
        .executeTakeFirstOrThrow();
      return count;
    },
    async post(key: string | undefined, size = 1, more: { url?: string; user?: string; body?: object } = {}) {
      const answer = await app.inject({
        method: 'POST',
        url: more.url ?? '/api/v1/things/a',
        headers: {
          'content-type': 'application/json',
          ...(key !== undefined && { 'idempotency-key': key }),
          ...(more.user !== undefined && { authorization: more.user }),
        },
        payload: JSON.stringify(more.body ?? { size }),
      });
      const body = answer.json<{ number?: number; error?: { code: string } }>();
      return {
        status: answer.statusCode,
        number: body.number,
        code: body.error?.code,
        replayed: answer.headers['idempotency-replayed'],
      };
    },
  };
}

/** Something to wait for until it is let go. */
function holdUp() {
  let letGo: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  return { held, letGo: () => letGo?.() };
}

describeDatabases('a request with an Idempotency-Key', (openDatabase) => {
  test('is carried out once; sent again it gets the first answer', async () => {
    const server = await open(await openDatabase());
    expect(await server.post('k1')).toMatchObject({ status: 201, number: 1, replayed: undefined });
    expect(await server.post('k1')).toMatchObject({ status: 201, number: 1, replayed: 'true' });
    expect(await server.post('k2')).toMatchObject({ status: 201, number: 2 });
    expect(await server.post(undefined)).toMatchObject({ number: 3 });
    expect(await server.post(undefined)).toMatchObject({ number: 4 });
    expect(await server.made()).toBe(4);
  });

  test('is the same whatever the order of its fields, and another with another body or path', async () => {
    const server = await open(await openDatabase());
    await server.post('k', 1, { body: { size: 1, note: 'n' } });
    expect(await server.post('k', 1, { body: { note: 'n', size: 1 } })).toMatchObject({ replayed: 'true' });
    expect(await server.post('k', 1, { body: { size: 2, note: 'n' } })).toMatchObject({
      status: 409,
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    expect(await server.post('k', 1, { body: { size: 1, note: 'n' }, url: '/api/v1/things/b' })).toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    expect(server.calls()).toBe(1);
  });

  test('belongs to its principal and its project', async () => {
    const server = await open(await openDatabase());
    await server.post('k');
    expect(await server.post('k', 2, { user: 'grace' })).toMatchObject({ status: 201, number: 2 });
    expect(await server.post('k', 3, { url: '/projects/other/api/v1/things/a' })).toMatchObject({ number: 3 });
  });

  test('that comes many times at once is carried out once, and all get its answer', async () => {
    const { held, letGo } = holdUp();
    const server = await open(await openDatabase(), { beforeWrite: () => held });
    const answers = Promise.all(Array.from({ length: 8 }, () => server.post('k')));
    const other = server.post('k', 2);
    await expect.poll(server.calls).toBe(1);
    letGo();
    expect((await answers).map(({ status, number }) => [status, number])).toEqual(
      Array.from({ length: 8 }, () => [201, 1]),
    );
    expect(await other).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect([server.calls(), await server.made()]).toEqual([1, 1]);
  });

  test('is remembered over a restart, for a day', async () => {
    const database = await openDatabase();
    const { number } = await (await open(database)).post('k');
    await database.close();
    const again = await database.reopen();
    const server = await open(again);
    expect(await server.post('k')).toMatchObject({ number, replayed: 'true' });
    again.clock.advance(keptMs - 1);
    expect(await server.post('k')).toMatchObject({ replayed: 'true' });
    again.clock.advance(1);
    expect(await server.post('k', 2)).toMatchObject({ status: 201, replayed: undefined });
    expect(await server.made()).toBe(2);
  });

  test('that failed before it wrote anything may be sent again', async () => {
    let fail = true;
    const server = await open(await openDatabase(), {
      beforeWrite: async () => {
        if (fail) throw new AppError('BUSY', 'unavailable', 'come again');
      },
    });
    expect(await server.post('k')).toMatchObject({ status: 503, code: 'BUSY' });
    fail = false;
    expect(await server.post('k')).toMatchObject({ status: 201, replayed: undefined });
    expect(await server.made()).toBe(1);
  });

  test('whose answer was lost after it had written is never carried out again', async () => {
    const behaviour: Behaviour = {
      afterWrite: () => Promise.reject(new Error('the power went')),
    };
    const database = await openDatabase();
    expect(await (await open(database, behaviour)).post('k')).toMatchObject({ status: 500 });
    await database.close();
    const server = await open(await database.reopen());
    expect(await server.post('k')).toMatchObject({ status: 409, code: 'IDEMPOTENCY_ANSWER_LOST' });
    expect(await server.made()).toBe(1);
  });

  test('that a dead server had begun is carried out by the next; the dead one could not write any more', async () => {
    const database = await openDatabase();
    const { held, letGo } = holdUp();
    const slow = await open(database, { beforeWrite: () => held });
    const first = slow.post('k');
    await expect.poll(slow.calls).toBe(1);
    const next = await open(database); // knows nothing of what the first one does
    expect(await next.post('k')).toMatchObject({ status: 201, number: 1 });
    letGo();
    expect(await first).toMatchObject({ status: 409, code: 'IDEMPOTENCY_OVERTAKEN' });
    expect(await next.made()).toBe(1);
    expect(await next.post('k')).toMatchObject({ number: 1, replayed: 'true' });
  });

  test('keeps neither the key, nor the body, nor an answer that holds a secret', async () => {
    const database = await openDatabase();
    const server = await open(database);
    const url = '/api/v1/secrets/a';
    expect(await server.post('the-very-key', 123_456, { url })).toMatchObject({ status: 201 });
    expect(await server.post('the-very-key', 123_456, { url })).toMatchObject({
      status: 409,
      code: 'IDEMPOTENCY_ANSWER_SECRET',
    });
    const rows = await database.read
      .query<{ idempotency_keys: { key_digest: string } }>()
      .selectFrom('idempotency_keys')
      .selectAll()
      .execute();
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toMatch(/the-very-key|123456/);
  });
});

describe('an Idempotency-Key', () => {
  test('that is none is refused', async () => {
    const { openTestDatabase } = await import('../testing/database.ts');
    const server = await open(await openTestDatabase());
    expect(await server.post('two words')).toMatchObject({ status: 400, code: 'IDEMPOTENCY_KEY_INVALID' });
    expect(await server.post('k'.repeat(256))).toMatchObject({ code: 'IDEMPOTENCY_KEY_INVALID' });
    expect(server.calls()).toBe(0);
  });
});
