import fc from 'fast-check';
import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Unit } from './database.ts';
import { isAppError } from './errors.ts';
import {
  contains,
  decodeCursor,
  encodeCursor,
  escapeLike,
  fromBit,
  inList,
  like,
  parseJson,
  toBit,
  toPage,
} from './sql.ts';
import { describeDatabases, type TestDatabase } from './testing/database.ts';

interface Tables {
  items: { name: string; amount: number };
}
const names = ['a', 'B', "it's", '100%', 'a_c', 'abc', 'back\\slash', 'ünïcode', '[1]', '{"x":1}'];
const someone = { actor: 'user:local' };
const createItems = async (unit: Unit) => {
  await sql`create table items (name text not null primary key, amount bigint not null)`.execute(unit.query());
  for (const [amount, name] of names.entries())
    await unit.query<Tables>().insertInto('items').values({ name, amount }).execute();
};

describeDatabases('dialect helpers', (open) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await open();
    await database.write(someone, createItems);
  });
  const select = async (condition: ReturnType<typeof inList>) => {
    const rows = await database.read
      .query<Tables>()
      .selectFrom('items')
      .select('items.name')
      .where(condition)
      .execute();
    return rows.map(({ name }) => name).toSorted();
  };

  test('a list of texts goes in as one parameter', async () => {
    expect(await select(inList(database.read, 'items.name', ["it's", '{"x":1}', 'nobody']))).toEqual([
      "it's",
      '{"x":1}',
    ]);
    expect(await select(inList(database.read, 'items.name', names))).toEqual(names.toSorted());
    expect(await select(inList(database.read, 'items.name', []))).toEqual([]);
  });

  test('a list of numbers goes in as one parameter', async () => {
    expect(await select(inList(database.read, 'items.amount', [0, 1, 99]))).toEqual(['B', 'a']);
  });

  test('a text is found where it stands, wildcards being letters and case counting', async () => {
    expect(await select(contains(database.read, 'items.name', '%'))).toEqual(['100%']);
    expect(await select(contains(database.read, 'items.name', 'A'))).toEqual([]);
    expect(await select(contains(database.read, 'items.name', 'a'))).toEqual(['a', 'a_c', 'abc', 'back\\slash']);
  });

  test('like knows wildcards and their escape, whatever the case', async () => {
    expect(await select(like(database.read, 'items.name', 'A_C'))).toEqual(['a_c', 'abc']);
    expect(await select(like(database.read, 'items.name', escapeLike('a_c')))).toEqual(['a_c']);
    expect(await select(like(database.read, 'items.name', `%${escapeLike('\\')}%`))).toEqual(['back\\slash']);
    expect(await select(like(database.read, 'items.name', `%${escapeLike('%')}`))).toEqual(['100%']);
  });
});

function outcomeOf(cursor: string): string {
  try {
    return Array.isArray(decodeCursor(cursor)) ? 'parts' : 'nonsense';
  } catch (error) {
    return isAppError(error) ? error.code : 'another error';
  }
}

describe('cursors', () => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );

  test('what was encoded comes back, in text that is safe in a URL', () => {
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const text = encodeCursor(parts);
        expect(text).toMatch(/^[\w-]*$/);
        // -0 is 0 in JSON and in both databases.
        expect(decodeCursor(text)).toEqual(parts.map((one) => (one === 0 ? 0 : one)));
      }),
    );
  });

  test('any other text is refused with one error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(outcomeOf(text)).toMatch(/^(parts|CURSOR_INVALID)$/);
      }),
    );
    for (const parts of ['{}', '[null]', '[[1]]', '[true]', '7'])
      expect(() => decodeCursor(Buffer.from(parts).toString('base64url'))).toThrow('not one that this server gave out');
  });
});

test('booleans are bits and JSON columns may be null', () => {
  expect([toBit(true), toBit(false), fromBit(1), fromBit(0)]).toEqual([1, 0, true, false]);
  expect([parseJson('{"a":1}'), parseJson(null)]).toEqual([{ a: 1 }, undefined]);
});

test('a page shows as many rows as asked for, and a cursor when there was one more', () => {
  const rows = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
  const { shown, next } = toPage(rows, 2, ({ id }) => [id]);
  expect([shown, decodeCursor(next ?? '')]).toEqual([[{ id: 'a' }, { id: 'b' }], ['b']]);
  expect(toPage(rows, 3, ({ id }) => [id])).toEqual({ shown: rows });
  expect(toPage([], 3, () => [])).toEqual({ shown: [] });
});
