import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TidemillEvent } from '#contracts/event-types';
import type { Database, WriteContext } from '../database.ts';
import { describeDatabases, openTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import { fromPostgresPosition } from './position.ts';

const someone = { actor: 'user:local' };
const resolved = { alertId: 'a', fingerprint: 'f', kind: 'drift', reason: 'gone' };

const say = (database: Database, subject: string, context: WriteContext = someone, project = 'flights') =>
  database.write(context, (unit) => unit.emit({ type: 'alert.resolved', project, subject, data: resolved }));
const subjects = (events: readonly { subject: string }[]) => events.map(({ subject }) => subject);

describeDatabases('the event log', (open) => {
  let database: TestDatabase;
  let log: EventLog;
  beforeEach(async () => {
    database = await open();
    log = createEventLog(database);
  });

  test('an empty log has its head at 0', async () => {
    expect(await log.head()).toBe('0');
    expect(await log.list({ limit: 10, afterPosition: '0' })).toEqual([]);
  });

  test('an event comes back as it was written', async () => {
    database.clock.advance(7);
    await say(database, 'alert:1', { actor: 'token:9', cause: 'request-1' });
    const [event, ...others] = await log.list({ limit: 10 });
    expect(others).toEqual([]);
    expect(event).toEqual({
      position: await log.head(),
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      project: 'flights',
      subject: 'alert:1',
      type: 'alert.resolved',
      actor: 'token:9',
      cause: 'request-1',
      atMs: database.clock.nowMs(),
      data: resolved,
    });
  });

  test('events of a unit that fails are not in the log', async () => {
    const failing = database.write(someone, async (unit) => {
      await unit.emit({ type: 'alert.resolved', project: 'flights', subject: 'alert:1', data: resolved });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await log.list({ limit: 10 })).toEqual([]);
  });

  test('events are listed by project, type, subject and position, in both orders', async () => {
    for (const subject of ['alert:1', 'alert:2', 'alert:1']) await say(database, subject);
    await say(database, 'alert:1', someone, 'other');
    const all = await log.list({ limit: 10 });
    const [first, second, third] = all.map(({ position }) => position);
    expect(all.map(({ position }) => position)).toEqual(all.map(({ position }) => position).toSorted());

    expect(subjects(await log.list({ project: 'flights', limit: 10 }))).toEqual(['alert:1', 'alert:2', 'alert:1']);
    expect(await log.list({ project: 'flights', subject: 'alert:1', limit: 10 })).toHaveLength(2);
    expect(await log.list({ types: ['alert.opened'], limit: 10 })).toEqual([]);
    expect(await log.list({ types: ['alert.opened', 'alert.resolved'], limit: 10 })).toHaveLength(4);
    expect(subjects(await log.list({ afterPosition: first as string, limit: 1 }))).toEqual(['alert:2']);
    const before = await log.list({ beforePosition: third as string, order: 'desc', limit: 1 });
    expect(before.map(({ position }) => position)).toEqual([second]);
  });

  test('an event that does not fit its schema is refused with its field', async () => {
    const data = { ...resolved, reason: 7 as unknown as string };
    const wrong = database.write(someone, (unit) =>
      unit.emit({ type: 'alert.resolved', project: 'flights', subject: 'alert:1', data }),
    );
    await expect(wrong).rejects.toMatchObject({ code: 'EVENT_INVALID', message: expect.stringContaining('/reason') });
  });

  test('a chain of more than 16 causes is stopped', async () => {
    await say(database, 'alert:1', { ...someone, cause: 'e', causeDepth: 15 });
    const tooDeep = say(database, 'alert:2', { ...someone, cause: 'e', causeDepth: 16 });
    await expect(tooDeep).rejects.toMatchObject({ code: 'CAUSE_CHAIN_TOO_LONG' });
  });

  test('the tail hears what is committed after it began, until it is stopped', async () => {
    await say(database, 'alert:before');
    const heard: TidemillEvent[] = [];
    const stop = log.tail((events) => heard.push(...events));
    await Promise.all(Array.from({ length: 40 }, (_, n) => say(database, `alert:${n}`)));
    await expect.poll(() => heard.length).toBe(40);
    expect(heard.toSorted((a, b) => (a.position < b.position ? -1 : 1))).toEqual(
      await log.list({ limit: 100, afterPosition: (await log.list({ limit: 1 }))[0]?.position ?? '' }),
    );

    stop();
    await say(database, 'alert:after');
    await log.head();
    expect(heard).toHaveLength(40);
  });
});

const insert = (client: Client, id: string) =>
  client.query(
    `insert into events (id, project, subject, type, actor, depth, at_ms, data)
     values ($1, 'flights', $1, 'alert.resolved', 'user:local', 0, 0, '{}')`,
    [id],
  );

describe('positions on PostgreSQL', () => {
  let database: TestDatabase;
  let clients: Client[] = [];
  const connect = async () => {
    const client = new Client({ connectionString: database.url });
    clients.push(client);
    await client.connect();
    return client;
  };
  beforeEach(async () => {
    clients = [];
    database = await openTestDatabase({ dialect: 'postgres' });
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.end()));
  });

  test('of two transactions that commit in reverse order none is passed over by a reader', async () => {
    const log = createEventLog(database);
    const [first, second] = [await connect(), await connect()];
    await first.query('begin');
    await insert(first, 'first');
    await second.query('begin');
    await insert(second, 'second');

    await second.query('commit');
    await say(database, 'third');
    // "second" and "third" are committed; to read them now would move a cursor past "first".
    expect(await log.list({ limit: 10 })).toEqual([]);
    expect(await log.head()).toBe('0');

    await first.query('commit');
    await expect.poll(async () => subjects(await log.list({ limit: 10 }))).toEqual(['first', 'second', 'third']);
    const positions = (await log.list({ limit: 10 })).map(({ position }) => position);
    expect(positions).toEqual(positions.toSorted());
    expect(positions.map((position) => fromPostgresPosition(position).sequence)).toEqual([1, 2, 3]);
  });
});
