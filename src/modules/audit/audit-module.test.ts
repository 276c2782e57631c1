import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import type { Unit } from '#platform/database';
import { type Consumer, createConsumers, createEventLog } from '#platform/events';
import type { Principal } from '#platform/http';
import { createLogger } from '#platform/log';
import { describeDatabases, openTestDatabase, type TestDatabase } from '#platform/testing/database';
import { aPrincipal, openTestServer } from '#platform/testing/http';
import { createAuditModule } from './index.ts';

const project = 'flights';
const base = '/projects/flights/api/v1';
const logger = createLogger({ level: 'silent' });

type Rows = {
  events: { id: string; data: string; actor: string };
  audit_chain: { sequence: number; hash: string; event_id: string };
};

const resolveAlert = (unit: Unit, subject: string, where = project) =>
  unit.emit({
    type: 'alert.resolved',
    project: where,
    subject,
    data: { alertId: subject, fingerprint: 'f', kind: 'drift', reason: 'gone' },
  });
const say = (database: TestDatabase, subject: string, where = project, actor = 'user:test') =>
  database.write({ actor }, (unit) => resolveAlert(unit, subject, where));

const spoil = (database: TestDatabase, work: (rows: ReturnType<TestDatabase['read']['query']>) => Promise<unknown>) =>
  database.write({ actor: 'user:thief' }, async (unit) => void (await work(unit.query())));

const auditSubjects = (page: { items: { event: { subject: string } }[] }) =>
  page.items.map(({ event }) => event.subject);
const subjects = (page: { items: { subject: string }[] }) => page.items.map(({ subject }) => subject);

describeDatabases('audit', (open) => {
  async function setUp(consumer?: Consumer) {
    const database = await open();
    const log = createEventLog(database);
    const retry = { attempts: 1, firstWaitMs: 1, longestWaitMs: 1 };
    const consumers = createConsumers({ database, log, clock: database.clock, logger, retry });
    if (consumer !== undefined) consumers.add(consumer);
    await consumers.start();
    onTestFinished(() => consumers.stop());
    const module = createAuditModule({ database, log, consumers, clock: database.clock, logger, sealDelayMs: 1 });
    let caller: Principal = aPrincipal();
    const app = await openTestServer({
      authenticate: async () => caller,
      onDenied: module.api.recordDenied,
      onSensitive: module.api.recordRead,
    });
    module.routes(app);
    return {
      database,
      log,
      consumers,
      module,
      api: module.api,
      app,
      become: (principal: Principal) => {
        caller = principal;
      },
    };
  }

  test('every event is sealed once, in order, and the chain holds', async () => {
    const { database, api } = await setUp();
    for (let n = 1; n <= 600; n += 1) await say(database, `alert:a/${n}`);
    await expect.poll(() => api.seal().then(() => api.verify())).toMatchObject({ ok: true, checked: 600 });
    await say(database, 'alert:a/601');
    await expect.poll(() => api.seal()).toBe(1);
    expect(await api.seal()).toBe(0);
    expect(await api.verify()).toMatchObject({ ok: true, checked: 601, head: { sequence: 601 } });
  }, 30_000);

  async function sealed(count = 5) {
    const world = await setUp();
    for (let n = 1; n <= count; n += 1) await say(world.database, `alert:a/${n}`);
    await expect.poll(async () => (await world.api.seal(), (await world.api.verify()).checked)).toBe(count);
    const events = await world.log.list({ limit: 100 });
    return { ...world, events, third: events[2]?.id ?? '' };
  }

  test('a changed event is found, whichever field it was', async () => {
    for (const change of [{ actor: 'user:other' }, { data: '{"alertId":"x"}' }]) {
      const { database, api, third } = await sealed();
      await spoil(database, (rows) =>
        rows.withTables<Rows>().updateTable('events').set(change).where('events.id', '=', third).execute(),
      );
      expect(await api.verify()).toMatchObject({
        ok: false,
        checked: 2,
        problem: { kind: 'changed', eventId: third, sequence: 3 },
      });
    }
  });

  test('a removed event, a removed seal and a seal made anew are found', async () => {
    const removed = await sealed();
    await spoil(removed.database, (rows) =>
      rows.withTables<Rows>().deleteFrom('events').where('events.id', '=', removed.third).execute(),
    );
    expect(await removed.api.verify()).toMatchObject({
      ok: false,
      problem: { kind: 'removed', eventId: removed.third },
    });

    const cut = await sealed();
    await spoil(cut.database, (rows) =>
      rows.withTables<Rows>().deleteFrom('audit_chain').where('audit_chain.sequence', '=', 3).execute(),
    );
    expect(await cut.api.verify()).toMatchObject({ ok: false, problem: { kind: 'chain', sequence: 4 } });

    const forged = await sealed();
    await spoil(forged.database, (rows) =>
      rows
        .withTables<Rows>()
        .updateTable('audit_chain')
        .set({ hash: 'f'.repeat(64) })
        .where('sequence', '=', 3)
        .execute(),
    );
    expect(await forged.api.verify()).toMatchObject({ ok: false, problem: { kind: 'changed', sequence: 3 } });
  });

  test('a chain whose end was cut, or that was made anew, fails against a seal noted down before', async () => {
    const { database, api } = await sealed();
    const { head } = await api.verify();
    expect(await api.verify(head)).toMatchObject({ ok: true });
    await spoil(database, (rows) => rows.withTables<Rows>().deleteFrom('audit_chain').execute());
    expect(await api.verify(head)).toMatchObject({ ok: false, problem: { kind: 'anchor' } });
    const newest = (await createEventLog(database).list({ limit: 1, order: 'desc' }))[0]?.id ?? '';
    await spoil(database, (rows) =>
      rows.withTables<Rows>().updateTable('events').set({ actor: 'user:x' }).where('events.id', '=', newest).execute(),
    );
    await api.seal();
    expect(await api.verify()).toMatchObject({ ok: true });
    expect(await api.verify(head)).toMatchObject({ ok: false, problem: { kind: 'anchor', sequence: 5 } });
  });

  test('two sealers do not seal an event twice', async () => {
    const { database, api, log, consumers } = await setUp();
    const other = createAuditModule({ database, log, consumers, clock: database.clock, logger });
    for (let n = 1; n <= 20; n += 1) await say(database, `alert:a/${n}`);
    await Promise.all([api.seal(), other.api.seal(), api.seal()]);
    await expect.poll(() => api.seal().then(() => api.verify())).toMatchObject({ ok: true, checked: 20 });
  });

  test('the running module seals by itself, and at its end what is left', async () => {
    const { database, module, api } = await setUp();
    await say(database, 'alert:a/before');
    await module.start();
    await expect.poll(() => api.verify()).toMatchObject({ checked: 1 });
    await say(database, 'alert:a/later');
    await expect.poll(() => api.verify()).toMatchObject({ ok: true, checked: 2 });
    await module.stop();
  });

  test('a denied request is written at once, its repeats as a count', async () => {
    const { module, app, become, log, database } = await setUp();
    become({ id: 'user:eve', can: (permission) => permission === 'read' });
    for (let time = 0; time < 4; time += 1) expect((await app.inject(`${base}/audit`)).statusCode).toBe(403);
    const denials = () => log.list({ types: ['request.denied'], limit: 10 });
    await expect
      .poll(denials, { timeout: 10_000 })
      .toMatchObject([
        { project, actor: 'user:eve', data: { operation: 'audit.list', permission: 'admin', count: 1 } },
      ]);
    database.clock.advance(60_000);
    await app.inject(`${base}/audit`);
    await module.stop();
    await expect
      // PostgreSQL may commit the count of the repeats and the new denial in either order
      .poll(
        async () => (await denials()).map(({ data }) => (data as { count: number }).count).toSorted((a, b) => a - b),
        {
          timeout: 10_000,
        },
      )
      .toEqual([1, 1, 3]);
  });

  test('the audit log is listed with its seals, by actor and in pages', async () => {
    const { database, api, app } = await setUp();
    for (let n = 1; n <= 6; n += 1) await say(database, `alert:a/${n}`, project, n % 2 === 0 ? 'user:a' : 'user:b');
    await say(database, 'alert:a/other', 'default');
    await expect.poll(async () => (await api.seal(), (await api.verify()).checked)).toBe(7);
    const first = (await app.inject(`${base}/audit?limit=2&actor=user:b`)).json();
    expect(auditSubjects(first)).toEqual(['alert:a/5', 'alert:a/3']);
    expect(first.items[0].seal.sequence).toBe(5);
    const rest = (await app.inject(`${base}/audit?limit=2&actor=user:b&cursor=${first.next}`)).json();
    expect(auditSubjects(rest)).toEqual(['alert:a/1']);
    expect(rest.next).toBeUndefined();
    expect((await app.inject(`${base}/audit/verify`)).json()).toMatchObject({ ok: true, checked: 7 });
  });

  test('the export has a line for each event of the project, and is itself recorded', async () => {
    const { database, api, app, log } = await setUp();
    for (let n = 1; n <= 3; n += 1) await say(database, `alert:a/${n}`);
    await say(database, 'alert:a/other', 'default');
    await expect.poll(async () => (await api.seal(), (await api.verify()).checked)).toBe(4);
    const lines = async (url: string) =>
      (await app.inject(url)).body
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).event.subject);
    expect((await lines(`${base}/audit/export`)).slice(0, 3)).toEqual(['alert:a/1', 'alert:a/2', 'alert:a/3']);
    expect(await lines(`${base}/audit/export?allProjects=true`)).toContain('alert:a/other');
    expect(await log.list({ types: ['request.read'], limit: 10 })).toMatchObject([
      { actor: 'user:test', data: { operation: 'audit.export' } },
      {},
    ]);
  });

  test('what concerns all projects needs an admin of all projects', async () => {
    const { app, become } = await setUp();
    become({ id: 'user:lead', can: (_permission, asked) => asked === project });
    expect((await app.inject(`${base}/audit/verify`)).statusCode).toBe(403);
    expect((await app.inject(`${base}/audit/export?allProjects=true`)).statusCode).toBe(403);
    expect((await app.inject({ method: 'POST', url: `${base}/events/retry`, payload: {} })).statusCode).toBe(403);
    expect((await app.inject(`${base}/audit`)).statusCode).toBe(200);
  });

  test('events are listed in either order, by type and subject, in pages', async () => {
    const { database, app } = await setUp();
    for (let n = 1; n <= 5; n += 1) await say(database, `alert:a/${n}`);
    const list = async (query: string) => (await app.inject(`${base}/events?${query}`)).json();
    await expect.poll(async () => (await list('')).items.length).toBe(5);
    for (const [order, expected] of [
      ['desc', ['5', '4', '3', '2', '1']],
      ['asc', ['1', '2', '3', '4', '5']],
    ] as const) {
      const seen: string[] = [];
      let cursor = '';
      do {
        const page = await list(`order=${order}&limit=2${cursor}`);
        seen.push(...subjects(page));
        cursor = page.next === undefined ? '' : `&cursor=${page.next}`;
      } while (cursor !== '');
      expect(seen).toEqual(expected.map((n) => `alert:a/${n}`));
    }
    expect(subjects(await list('type=alert.resolved&type=project.created&subject=alert:a/2'))).toEqual(['alert:a/2']);
    expect((await list('type=project.created')).items).toEqual([]);
    const { items } = await list('order=asc&limit=1');
    expect(subjects(await list(`order=asc&after=${items[0].position}&limit=1`))).toEqual(['alert:a/2']);
  });

  test('parked events are listed and tried again', async () => {
    let broken = true;
    const { database, app } = await setUp({
      name: 'fragile',
      types: ['alert.resolved'],
      handle: async () => {
        if (broken) throw new Error('not now');
      },
    });
    await say(database, 'alert:a/1');
    const parked = async () => (await app.inject(`${base}/events/parked`)).json().items;
    await expect.poll(parked).toMatchObject([{ consumer: 'fragile', subject: 'alert:a/1', error: 'not now' }]);
    expect((await app.inject('/api/v1/events/parked')).json().items).toEqual([]);
    const retry = (payload: object) => app.inject({ method: 'POST', url: `${base}/events/retry`, payload });
    expect((await retry({})).json()).toEqual({ handled: 0 });
    broken = false;
    expect((await retry({ consumer: 'nobody' })).statusCode).toBe(404);
    expect((await retry({ consumer: 'fragile' })).json()).toEqual({ handled: 1 });
    expect(await parked()).toEqual([]);
  });

  test('a live stream sends new events of its project, and a reader that comes back misses none', async () => {
    const { database, app, log } = await setUp();
    await say(database, 'alert:a/old');
    await expect.poll(() => log.list({ limit: 10 })).toHaveLength(1);
    const first = await connect(app, `${base}/events/stream`);
    await say(database, 'alert:b/other', 'default');
    for (let n = 1; n <= 3; n += 1) await say(database, `alert:a/${n}`);
    await expect.poll(() => first.subjects()).toEqual(['alert:a/1', 'alert:a/2', 'alert:a/3']);
    first.close();
    for (let n = 4; n <= 6; n += 1) await say(database, `alert:a/${n}`);
    const second = await connect(app, `${base}/events/stream`, first.messages[1]?.id);
    await expect.poll(() => second.subjects()).toEqual(['alert:a/3', 'alert:a/4', 'alert:a/5', 'alert:a/6']);
    expect(second.messages[0]).toMatchObject({ event: 'alert.resolved', data: { project, type: 'alert.resolved' } });
    await say(database, 'alert:a/7');
    await expect.poll(() => second.subjects()).toHaveLength(5);
    second.close();
  });

  test('a stream of some types leaves the others out', async () => {
    const { database, app } = await setUp();
    const stream = await connect(app, `${base}/events/stream?type=project.created`);
    await say(database, 'alert:a/1');
    await database.write({ actor: 'user:test' }, (unit) =>
      unit.emit({ type: 'project.created', project, subject: 'project:flights', data: {} }),
    );
    await expect.poll(() => stream.subjects()).toEqual(['project:flights']);
    stream.close();
  });

  test('a reader with an unknown position, or too far behind, is told to read the state anew', async () => {
    const { database, app, log } = await setUp();
    const start = await log.head();
    await database.write({ actor: 'user:test' }, async (unit) => {
      for (let n = 0; n <= 1000; n += 1)
        await unit.emit({ type: 'project.created', project, subject: 'project:flights', data: {} });
    });
    await expect.poll(async () => (await log.list({ limit: 2000 })).length).toBe(1001);
    for (const position of [start, '9'.repeat(40), 'nonsense']) {
      const stream = await connect(app, `${base}/events/stream`, position);
      await expect.poll(() => stream.messages).toMatchObject([{ event: 'reset' }]);
      await say(database, 'alert:a/next');
      await expect.poll(() => stream.messages.length).toBe(2);
      stream.close();
    }
  });
});

interface Message {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: { readonly subject?: string };
}

/** A reader as a browser is one. Resolves when the stream is open and its feed waits for events. */
async function connect(app: FastifyInstance, path: string, lastEventId?: string) {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const messages: Message[] = [];
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port, path, headers }, resolve).once('error', reject).end();
  });
  let text = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const parts = text.split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1];
      const data = field('data');
      if (data !== undefined) messages.push({ id: field('id'), event: field('event'), data: JSON.parse(data) });
    }
  });
  return {
    messages,
    subjects: () => messages.map(({ data }) => data.subject),
    close: () => void answer.destroy(),
  };
}

test('on PostgreSQL, what is committed before it is settled is sealed later, without another event', async () => {
  const database = await openTestDatabase({ dialect: 'postgres' });
  const log = createEventLog(database);
  const consumers = createConsumers({ database, log, clock: database.clock, logger });
  const module = createAuditModule({ database, log, consumers, clock: database.clock, logger, sealDelayMs: 1 });
  await module.start();
  onTestFinished(() => module.stop());
  let [inside, leave] = [() => undefined as void, () => undefined as void];
  const entered = new Promise<void>((resolve) => (inside = resolve));
  const wait = new Promise<void>((resolve) => (leave = resolve));
  // no event behind this unit is settled before it ends
  const slow = database.write({ actor: 'user:test' }, async (unit) => {
    await resolveAlert(unit, 'alert:a/0');
    inside();
    await wait;
    throw new Error('nothing was meant');
  });
  await entered;
  await say(database, 'alert:a/1');
  await module.api.seal();
  const sealed = () => database.read.query<Rows>().selectFrom('audit_chain').select('sequence').execute();
  expect(await sealed()).toEqual([]);
  leave();
  await expect(slow).rejects.toThrow('nothing was meant');
  await expect.poll(sealed).toEqual([{ sequence: 1 }]);
});
