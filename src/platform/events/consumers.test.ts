import { sql } from 'kysely';
import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import type { TidemillEvent } from '#contracts/event-types';
import type { Database, Unit, WriteContext } from '../database.ts';
import { defineErrors } from '../errors.ts';
import { describeDatabases, type TestDatabase } from '../testing/database.ts';
import { type Consumer, type Consumers, createConsumers } from './consumers.ts';
import { createEventLog } from './event-log.ts';

const someone = { actor: 'user:local' };
const logger = pino({ level: 'silent' });
const retry = { attempts: 3, firstWaitMs: 1, longestWaitMs: 4 };
interface Tables {
  seen: { consumer: string; subject: string };
}

const say = (database: Database, subject: string, context: WriteContext = someone) =>
  database.write(context, (unit) =>
    unit.emit({
      type: 'alert.resolved',
      project: 'flights',
      subject,
      data: { alertId: 'a', fingerprint: 'f', kind: 'drift', reason: 'gone' },
    }),
  );
const see = (consumer: string) => async (unit: Unit, event: TidemillEvent) => {
  await unit.query<Tables>().insertInto('seen').values({ consumer, subject: event.subject }).execute();
};
async function seenBy(database: Database, consumer: string): Promise<readonly string[]> {
  const { rows } = await sql<{
    subject: string;
  }>`select subject from seen where consumer = ${consumer} order by n`.execute(database.read.query());
  return rows.map(({ subject }) => subject);
}

describeDatabases('event consumers', (open) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await open();
    await database.write(someone, (unit) => {
      const n = unit.dialect === 'sqlite' ? 'n integer primary key' : 'n bigserial';
      return sql`create table seen (${sql.raw(n)}, consumer text not null, subject text not null)`.execute(
        unit.query(),
      );
    });
  });

  async function start(...list: readonly Consumer[]): Promise<Consumers> {
    const consumers = createConsumers({
      database,
      log: createEventLog(database),
      clock: database.clock,
      logger,
      retry,
    });
    for (const consumer of list) consumers.add(consumer);
    await consumers.start();
    return consumers;
  }

  test('each consumer handles the events of its types once, in order, and no others', async () => {
    const consumers = await start(
      { name: 'one', types: ['alert.resolved'], handle: see('one') },
      { name: 'two', types: ['alert.resolved', 'alert.opened'], handle: see('two') },
      { name: 'none', types: ['alert.opened'], handle: see('none') },
    );
    const expected = Array.from({ length: 100 }, (_, n) => `alert:${n}`);
    for (const subject of expected.slice(0, 20)) await say(database, subject);
    await Promise.all(expected.slice(20).map((subject) => say(database, subject)));
    await consumers.idle();
    const log = (await createEventLog(database).list({ limit: 1000 })).map(({ subject }) => subject);
    expect(log.toSorted()).toEqual(expected.toSorted());
    expect(await seenBy(database, 'one')).toEqual(log);
    expect(await seenBy(database, 'two')).toEqual(log);
    expect(await seenBy(database, 'none')).toEqual([]);
    await consumers.stop();
  });

  test('a consumer of some subjects handles no others, and is not held up by them', async () => {
    const consumers = await start({
      name: 'some',
      types: ['alert.resolved'],
      subjects: ['alert:a/', 'alert:b/'],
      handle: see('some'),
    });
    const subjects = ['alert:a/1', 'alert:c/2', 'alert:b/3', 'alert:c/4', 'alert:a', 'alert:c/5'];
    for (const subject of subjects) await say(database, subject);
    await consumers.idle();
    expect(await seenBy(database, 'some')).toEqual(['alert:a/1', 'alert:b/3']);
    await consumers.stop();
  });

  test('a consumer that gives up is told of the error, at once when the event itself is wrong, and parks nothing', async () => {
    const wrong = defineErrors({ WRONG: { kind: 'invalid', message: () => 'wrong for ever' } });
    const tries: string[] = [];
    const consumers = await start({
      name: 'giving',
      types: ['alert.resolved'],
      async handle(unit, event) {
        tries.push(event.subject);
        await see('giving')(unit, event);
        if (event.subject === 'alert:wrong') throw wrong.WRONG();
        if (event.subject === 'alert:broken') throw new Error('a mistake');
      },
      giveUp: (unit, event, error) =>
        see('gave up')(unit, { ...event, subject: `${event.subject}: ${error instanceof Error ? error.message : ''}` }),
    });
    for (const subject of ['alert:wrong', 'alert:fine', 'alert:broken', 'alert:wrong']) await say(database, subject);
    await consumers.idle();
    expect(tries.filter((subject) => subject === 'alert:broken')).toHaveLength(retry.attempts);
    expect(await seenBy(database, 'giving')).toEqual(['alert:fine']);
    expect(await seenBy(database, 'gave up')).toEqual([
      'alert:wrong: wrong for ever',
      'alert:broken: a mistake',
      'alert:wrong: wrong for ever',
    ]);
    expect(await consumers.listParked()).toEqual([]);
    await consumers.stop();
  });

  test('an event that cannot even be given up is parked', async () => {
    const consumers = await start({
      name: 'stuck',
      types: ['alert.resolved'],
      handle: () => Promise.reject(new Error('no')),
      giveUp: () => Promise.reject(new Error('not that either')),
    });
    await say(database, 'alert:a');
    await consumers.idle();
    expect(await consumers.listParked()).toMatchObject([{ subject: 'alert:a', error: 'no' }]);
    await consumers.stop();
  });

  test('what a consumer emits names the event as its cause and the consumer as its actor', async () => {
    const consumers = await start({
      name: 'chain',
      types: ['alert.resolved'],
      async handle(unit, event) {
        if (event.subject !== 'alert:2') await say({ ...database, write: (_, work) => work(unit) }, 'alert:2');
      },
    });
    await say(database, 'alert:1');
    await consumers.idle();
    const [first, second] = await createEventLog(database).list({ limit: 10 });
    expect(second).toMatchObject({ subject: 'alert:2', actor: 'system:chain', cause: first?.id });
    await consumers.stop();
  });

  test('an event that keeps failing is parked with its subject, and the rest goes on', async () => {
    let broken = true;
    const tries: string[] = [];
    const consumers = await start(
      {
        name: 'picky',
        types: ['alert.resolved'],
        async handle(unit, event) {
          tries.push(event.subject);
          await see('picky')(unit, event);
          if (broken && event.subject === 'alert:bad') throw new Error('not this one');
        },
      },
      { name: 'watch', types: ['consumer.parked'], handle: see('watch') },
    );
    for (const subject of ['alert:1', 'alert:bad', 'alert:2', 'alert:bad', 'alert:3']) await say(database, subject);
    await consumers.idle();
    expect(await seenBy(database, 'picky')).toEqual(['alert:1', 'alert:2', 'alert:3']);
    expect(tries.filter((subject) => subject === 'alert:bad').length).toBeLessThanOrEqual(retry.attempts * 2);
    const parked = await consumers.listParked();
    expect(parked.map(({ subject, attempts }) => [subject, attempts])).toEqual([
      ['alert:bad', retry.attempts],
      ['alert:bad', 0],
    ]);
    expect(parked[0]).toMatchObject({ consumer: 'picky', type: 'alert.resolved', error: 'not this one' });
    // One notice for the subject, not one for each event that waits behind.
    expect(await seenBy(database, 'watch')).toEqual(['consumer:picky']);

    expect(await consumers.retryParked()).toBe(0);
    expect((await consumers.listParked())[0]?.attempts).toBe(retry.attempts + 1);
    broken = false;
    expect(await consumers.retryParked('picky')).toBe(2);
    expect(await consumers.listParked()).toEqual([]);
    await say(database, 'alert:bad');
    await consumers.idle();
    expect((await seenBy(database, 'picky')).slice(3)).toEqual(['alert:bad', 'alert:bad', 'alert:bad']);
    await expect(consumers.retryParked('nobody')).rejects.toMatchObject({ code: 'CONSUMER_UNKNOWN' });
    await consumers.stop();
  });

  test('a parked subject stays parked when the process starts again', async () => {
    const failing: Consumer = {
      name: 'failing',
      types: ['alert.resolved'],
      handle: () => Promise.reject(new Error('no')),
    };
    const first = await start(failing);
    await say(database, 'alert:1');
    await first.idle();
    await first.stop();
    await database.close();

    database = await database.reopen();
    const tried: string[] = [];
    const second = await start({
      ...failing,
      handle: async (_, event) => {
        tried.push(event.subject);
      },
    });
    await say(database, 'alert:1');
    await say(database, 'alert:2');
    await second.idle();
    expect(tried).toEqual(['alert:2']);
    expect(await second.listParked()).toHaveLength(2);
    await second.stop();
  });

  test('an event that fails for a while is handled once it works', async () => {
    let failures = 2;
    const consumers = await start({
      name: 'flaky',
      types: ['alert.resolved'],
      async handle(unit, event) {
        await see('flaky')(unit, event);
        if (failures-- > 0) throw new Error('not yet');
      },
    });
    for (const subject of ['alert:1', 'alert:2']) await say(database, subject);
    await consumers.idle();
    expect(await seenBy(database, 'flaky')).toEqual(['alert:1', 'alert:2']);
    expect(await consumers.listParked()).toEqual([]);
    await consumers.stop();
  });

  test('consumers that set each other off are stopped after 16 events, and the last is parked', async () => {
    let count = 0;
    const consumers = await start({
      name: 'echo',
      types: ['alert.resolved'],
      async handle(unit, event) {
        const data = event.data as { alertId: string; fingerprint: string; kind: string; reason: string };
        await unit.emit({ type: 'alert.resolved', project: 'flights', subject: `alert:${unit.newId()}`, data });
        count += 1;
      },
    });
    await say(database, 'alert:0');
    await consumers.idle();
    expect(count).toBe(16);
    expect((await consumers.listParked())[0]?.error).toContain('reacts to itself');
    await consumers.stop();
  });

  test('an effect outside is delivered in order and again after a failure', async () => {
    const delivered: string[] = [];
    let failures = 1;
    const consumers = await start({
      name: 'webhook',
      types: ['alert.resolved'],
      async deliver(event) {
        await new Promise((resolve) => setImmediate(resolve));
        delivered.push(event.subject);
        if (event.subject === 'alert:2' && failures-- > 0) throw new Error('503');
      },
    });
    for (const subject of ['alert:1', 'alert:2', 'alert:3']) await say(database, subject);
    await consumers.idle();
    expect(delivered).toEqual(['alert:1', 'alert:2', 'alert:2', 'alert:3']);
    await consumers.stop();
  });

  test('a process that takes the log up leaves its predecessor without effect', async () => {
    const stale = await start({ name: 'one', types: ['alert.resolved'], handle: see('one') });
    const next = await start({ name: 'one', types: ['alert.resolved'], handle: see('one') });
    await say(database, 'alert:1');
    await next.idle();
    expect(await seenBy(database, 'one')).toEqual(['alert:1']);
    await stale.stop();
    await next.stop();
  });

  test('events from before a consumer existed reach it, unless it begins now', async () => {
    await say(database, 'alert:old');
    const consumers = await start(
      { name: 'all', types: ['alert.resolved'], handle: see('all') },
      { name: 'new', types: ['alert.resolved'], from: 'now', handle: see('new') },
    );
    await say(database, 'alert:new');
    await consumers.idle();
    expect(await seenBy(database, 'all')).toEqual(['alert:old', 'alert:new']);
    expect(await seenBy(database, 'new')).toEqual(['alert:new']);
    await consumers.stop();
  });

  test('a process that dies in the middle leaves the cursor with the effects', async () => {
    const subjects = Array.from({ length: 200 }, (_, n) => `alert:${n}`);
    await database.write(someone, async (unit) => {
      for (const subject of subjects) await say({ ...database, write: (_, work) => work(unit) }, subject);
    });
    await start({ name: 'one', types: ['alert.resolved'], handle: see('one') });
    // The database goes away under the consumer, as it does in a crash: nothing is saved at the end.
    await expect.poll(async () => (await seenBy(database, 'one')).length).toBeGreaterThan(3);
    await database.close();

    database = await database.reopen();
    const consumers = await start({ name: 'one', types: ['alert.resolved'], handle: see('one') });
    await consumers.idle();
    expect(await seenBy(database, 'one')).toEqual(subjects);
    await consumers.stop();
  });

  test('after a start nothing is handled twice, whatever was in flight', async () => {
    const one: Consumer = { name: 'one', types: ['alert.resolved'], handle: see('one') };
    const subjects = Array.from({ length: 60 }, (_, n) => `alert:${n}`);
    let rest = subjects;
    for (const share of [5, 20, 35]) {
      const consumers = await start(one);
      for (const subject of rest.slice(0, share)) await say(database, subject);
      rest = rest.slice(share);
      // Ends in the middle of the work; the next start goes on from the cursor.
      await consumers.stop();
      await database.close();
      database = await database.reopen();
    }
    const consumers = await start(one);
    await consumers.idle();
    expect(await seenBy(database, 'one')).toEqual(subjects);
    await consumers.stop();
  });

  test('a name is used once, and before the start', async () => {
    const consumers = createConsumers({ database, log: createEventLog(database), clock: database.clock, logger });
    const one: Consumer = { name: 'one', types: [] };
    consumers.add(one);
    expect(() => consumers.add(one)).toThrow('two event consumers are named "one"');
    await consumers.start();
    expect(() => consumers.add({ name: 'late', types: [] })).toThrow('add it before');
    await consumers.stop();
  });
});
