import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/database.ts';
import type { Unit } from './types.ts';

interface Tables {
  items: { name: string; amount: number };
}

const someone = { actor: 'user:local' };
const put = (unit: Unit, name: string) =>
  unit.query<Tables>().insertInto('items').values({ name, amount: 1 }).execute();
const find = (unit: Unit, name: string) =>
  unit.query<Tables>().selectFrom('items').select('items.name').where('items.name', '=', name).executeTakeFirst();

let database: TestDatabase;
beforeEach(async () => {
  database = await openTestDatabase({ dialect: 'postgres' });
  await database.write(someone, (unit) =>
    sql`create table items (name text not null primary key, amount bigint not null)`.execute(unit.query()),
  );
});

test('a unit that meets the row of one that ran beside it is run again and finds it', async () => {
  let runs = 0;
  const outcome = await database.write(someone, async (unit) => {
    runs += 1;
    if ((await find(unit, 'a')) !== undefined) return 'found';
    // a transaction of its own that commits after the look: PostgreSQL answers the insert with unique_violation, not
    // with serialization_failure, since the other never looked
    await database.write(someone, (other) => put(other, 'a'));
    await put(unit, 'a');
    return 'put';
  });
  expect({ outcome, runs }).toEqual({ outcome: 'found', runs: 2 });
});

test('two units that both look before they put end as one put and one found', async () => {
  const work = () => {
    let waited = false;
    return database.write(someone, async (unit) => {
      if ((await find(unit, 'a')) !== undefined) return 'found';
      if (!waited) await bothLooked();
      waited = true;
      await put(unit, 'a');
      return 'put';
    });
  };
  const bothLooked = meetingOf(2);
  expect((await Promise.all([work(), work()])).toSorted()).toEqual(['found', 'put']);
});

test('a row that was there all along is a broken constraint, told after a few runs', async () => {
  await database.write(someone, (unit) => put(unit, 'a'));
  let runs = 0;
  const outcome = database.write(someone, async (unit) => {
    runs += 1;
    await put(unit, 'a');
  });
  await expect(outcome).rejects.toMatchObject({ code: '23505' });
  expect(runs).toBe(3);
});

const json = (text: string) =>
  database.write(someone, (unit) => sql`select ${text}::jsonb as value`.execute(unit.query()));

test("half of a surrogate pair in JSON is the caller's mistake, and other malformed JSON is not", async () => {
  await expect(json('["\\ud800"]')).rejects.toMatchObject({ code: 'TEXT_HAS_HALF_PAIR', kind: 'invalid' });
  await expect(json('[')).rejects.toMatchObject({ code: '22P02' });
});

test("a division by zero of the unit's own is told as it is, after one run", async () => {
  let runs = 0;
  const outcome = database.write(someone, async (unit) => {
    runs += 1;
    await sql`select 1 / (${runs} - ${runs}::int) as nothing`.execute(unit.query());
  });
  await expect(outcome).rejects.toMatchObject({ code: '22012' });
  expect(runs).toBe(1);
});

/** Resolves for all once so many wait. */
function meetingOf(count: number): () => Promise<void> {
  const waiting: (() => void)[] = [];
  return () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === count) for (const go of waiting) go();
    });
}

test('no query is compiled, and units read by index', async () => {
  const settings = sql<object>`select current_setting('jit') as jit, current_setting('enable_seqscan') as seqscan`;
  expect((await settings.execute(database.read.query())).rows).toEqual([{ jit: 'off', seqscan: 'on' }]);
  const ofUnits = await database.write(someone, (unit) => settings.execute(unit.query()));
  expect(ofUnits.rows).toEqual([{ jit: 'off', seqscan: 'off' }]);
});
