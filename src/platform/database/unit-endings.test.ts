import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { prepareAssumption } from '../prepared-query.ts';
import { describeDatabases, type TestDatabase } from '../testing/database.ts';
import type { Reader, Unit } from './types.ts';

interface Tables {
  items: { name: string; amount: number };
}
const someone = { actor: 'user:local' };

const put = (unit: Unit, name: string) =>
  unit.query<Tables>().insertInto('items').values({ name, amount: 1 }).execute();
const namesOf = async (reader: Reader) => {
  const rows = await reader.query<Tables>().selectFrom('items').select('items.name').orderBy('items.name').execute();
  return rows.map(({ name }) => name);
};
const exists = prepareAssumption<{ name: string }>((reader, { name }) =>
  reader.query<Tables>().selectFrom('items').select('items.name').where('items.name', '=', name),
);

describeDatabases('what a unit does not wait for', (open) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await open();
    await database.write(someone, (unit) =>
      sql`create table items (name text not null primary key, amount bigint not null)`.execute(unit.query()),
    );
    await database.write(someone, (unit) => put(unit, 'a'));
  });

  test('writes with the commit are there after it, and can be read inside before', async () => {
    const inside = await database.write(someone, async (unit) => {
      unit.withCommit(put(unit, 'b'));
      const names = await namesOf(unit);
      unit.withCommit(put(unit, 'c'), put(unit, 'd'));
      return names;
    });
    expect(inside).toEqual(['a', 'b']);
    expect(await namesOf(database.read)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a write with the commit that fails takes the unit with it, whichever way it fails', async () => {
    const refused = database.write(someone, async (unit) => unit.withCommit(put(unit, 'b'), put(unit, 'a')));
    await expect(refused).rejects.toThrow(/unique/i);
    const thrown = database.write(someone, async (unit) => {
      unit.withCommit(
        put(unit, 'b'),
        Promise.resolve().then(() => Promise.reject(new Error('no'))),
      );
    });
    await expect(thrown).rejects.toThrow('no');
    expect(await namesOf(database.read)).toEqual(['a']);
  });

  test('what is assumed and holds is not looked into, and the answer is the work of one run', async () => {
    let runs = 0;
    await database.write(someone, async (unit) => {
      runs += 1;
      await unit.assume(exists({ name: 'a' }), () => Promise.reject(new Error('it does')));
      unit.withCommit(put(unit, 'b'));
    });
    expect({ runs, names: await namesOf(database.read) }).toEqual({ runs: 1, names: ['a', 'b'] });
  });

  test('what is assumed and does not hold is mended first, or refused with nothing written', async () => {
    await database.write(someone, async (unit) => {
      unit.withCommit(put(unit, 'b'));
      await unit.assume(exists({ name: 'x' }), async () => {
        await put(unit, 'x');
      });
      await put(unit, `${(await namesOf(unit)).join('')}!`);
    });
    expect(await namesOf(database.read)).toEqual(['a', 'abx!', 'b', 'x']);

    const refused = database.write(someone, async (unit) => {
      unit.withCommit(put(unit, 'c'));
      await unit.assume(exists({ name: 'y' }), () => Promise.reject(new Error('there is no y')));
      unit.withCommit(put(unit, 'd'));
    });
    await expect(refused).rejects.toThrow('there is no y');
    expect(await namesOf(database.read)).toEqual(['a', 'abx!', 'b', 'x']);
  });
});
