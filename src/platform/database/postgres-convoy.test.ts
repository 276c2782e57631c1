import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/database.ts';
import type { Reader, Unit } from './types.ts';

interface Tables {
  items: { name: string; amount: number; xid: string };
}
const someone = { actor: 'user:local' };
/** Which transaction wrote it is kept beside it. */
const put = (unit: Unit, name: string) =>
  sql`insert into items (name, amount, xid) values (${name}, 1, pg_current_xact_id()::text)`.execute(unit.query());
const add = (unit: Unit, name: string) =>
  sql`update items set amount = amount + 1 where name = ${name}`.execute(unit.query());
const listItems = (reader: Reader) =>
  reader.query<Tables>().selectFrom('items').selectAll('items').orderBy('items.name').execute();
const namesOf = async (reader: Reader) => (await listItems(reader)).map(({ name }) => name);

let database: TestDatabase;
beforeEach(async () => {
  database = await openTestDatabase({ dialect: 'postgres' });
  await database.write(someone, (unit) =>
    sql`create table items (name text not null primary key, amount bigint not null, xid text not null)`.execute(
      unit.query(),
    ),
  );
});

/** A unit that waits for nothing. */
const putWithCommit = (name: string) => database.write(someone, async (unit) => unit.withCommit(put(unit, name)));

test('units that arrive together and wait for nothing share a transaction, and others have their own', async () => {
  await Promise.all([
    ...['a', 'b', 'c'].map(putWithCommit),
    database.write(someone, (unit) => put(unit, 'waits')),
    putWithCommit('d'),
  ]);
  const items = await listItems(database.read);
  const xids = new Map(items.map(({ name, xid }) => [name, xid]));
  const shared = xids.get('a');
  expect([...xids]).toEqual([
    ['a', shared],
    ['b', shared],
    ['c', shared],
    ['d', shared],
    ['waits', expect.not.stringMatching(`^${shared}$`)],
  ]);
});

test('more units than one transaction takes are all written, those of each in the order in which they came', async () => {
  const heard: string[] = [];
  database.onEvents((events) => heard.push(...events.map(({ subject }) => subject)));
  const names = Array.from({ length: 100 }, (_, number) => `item-${String(number).padStart(3, '0')}`);
  await Promise.all(
    names.map((name) =>
      database.write(someone, async (unit) => {
        unit.withCommit(
          put(unit, name),
          unit.emit({ type: 'project.created', project: 'default', subject: name, data: { name } }),
        );
      }),
    ),
  );
  const items = await listItems(database.read);
  expect(items.map(({ name }) => name)).toEqual(names);
  expect(new Set(items.map(({ xid }) => xid)).size).toBeLessThan(20);
  const xids = new Map(items.map(({ name, xid }) => [name, xid]));
  for (const xid of new Set(xids.values())) {
    const heardOfOne = heard.filter((name) => xids.get(name) === xid);
    expect(heardOfOne).toEqual(names.filter((name) => xids.get(name) === xid));
  }
});

test('one that fails is told its own error, and those that travelled with it are written', async () => {
  await putWithCommit('there');
  const runs = new Map<string, number>();
  const outcomes = await Promise.allSettled(
    ['a', 'there', 'b'].map((name) =>
      database.write(someone, async (unit) => {
        runs.set(name, (runs.get(name) ?? 0) + 1);
        unit.withCommit(put(unit, name));
        return name;
      }),
    ),
  );
  expect(outcomes).toMatchObject([
    { status: 'fulfilled', value: 'a' },
    { status: 'rejected', reason: { code: '23505' } },
    { status: 'fulfilled', value: 'b' },
  ]);
  expect(await namesOf(database.read)).toEqual(['a', 'b', 'there']);
  expect([runs.get('a'), runs.get('b')]).toEqual([2, 2]);
});

test('a unit whose work fails before it has waited is refused with nothing written, and holds nobody up', async () => {
  const outcomes = await Promise.allSettled([
    putWithCommit('a'),
    database.write(someone, async (unit) => {
      unit.withCommit(put(unit, 'no'));
      throw new Error('refused');
    }),
    putWithCommit('b'),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const items = await listItems(database.read);
  expect(items.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(new Set(items.map(({ xid }) => xid)).size).toBe(1);
});

test('units that change one row and arrive together are not run again because of each other', async () => {
  await putWithCommit('a');
  let runs = 0;
  await Promise.all(
    Array.from({ length: 16 }, () =>
      database.write(someone, async (unit) => {
        runs += 1;
        unit.withCommit(add(unit, 'a'));
      }),
    ),
  );
  expect({ runs, items: await listItems(database.read) }).toMatchObject({ runs: 16, items: [{ amount: 17 }] });
});

test('one that waits for a lock holds up neither those that travel with it nor those after it', async () => {
  await Promise.all(['a', 'b', 'c'].map(putWithCommit));
  const order: string[] = [];
  const held = signal();
  const locked = signal();
  const holder = database.write(someone, async (unit) => {
    await add(unit, 'a');
    locked.give();
    await held.given;
  });
  await locked.given;
  const addWithCommit = async (name: string) => {
    await database.write(someone, async (unit) => unit.withCommit(add(unit, name)));
    order.push(name);
  };
  const together = ['a', 'b'].map(addWithCommit);
  await untilOneWaits();
  await addWithCommit('c');
  await together[1];
  held.give();
  await Promise.all([holder, ...together]);
  expect(order.toSorted()).toEqual(['a', 'b', 'c']);
  expect(order.at(-1)).toBe('a');
  expect(await listItems(database.read)).toMatchObject([{ amount: 3 }, { amount: 2 }, { amount: 2 }]);
});

const nothing = (): void => undefined;
function signal() {
  let give = nothing;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

/** Asks the server until a transaction waits for the lock of another. */
async function untilOneWaits(): Promise<void> {
  const waiting = sql<object>`select 1 from pg_locks where not granted`;
  while ((await waiting.execute(database.read.query())).rows.length === 0);
}
