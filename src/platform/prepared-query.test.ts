import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { prepareQuery } from './prepared-query.ts';
import { describeDatabases } from './testing/database.ts';

interface Tables {
  items: { name: string; amount: number; note: string | null };
}
const someone = { actor: 'user:local' };

describeDatabases('a prepared query', (open) => {
  test('is built once and filled in each time, by name and in any place', async () => {
    const database = await open();
    let built = 0;
    const insert = prepareQuery<never, { name: string; amount: number; note: string | null }>(
      (unit, { name, amount, note }) => {
        built += 1;
        return unit.query<Tables>().insertInto('items').values({ name, amount, note });
      },
    );
    const between = prepareQuery<{ name: string }, { low: number; high: number }>((_, { low, high }) => {
      built += 1;
      return sql`select items.name as name from items where items.amount < ${high} and items.amount >= ${low}
        and items.amount <> ${3} order by items.name`;
    });
    await database.write(someone, async (unit) => {
      await sql`create table items (name text not null primary key, amount bigint not null, note text)`.execute(
        unit.query(),
      );
      for (const [amount, name] of ['a', 'b', 'c', 'd', 'e'].entries())
        await insert(unit, { name, amount, note: amount === 1 ? 'one' : null });
    });
    expect((await between(database.read, { low: 1, high: 5 })).rows).toEqual([
      { name: 'b' },
      { name: 'c' },
      { name: 'e' },
    ]);
    expect((await between(database.read, { low: 0, high: 1 })).rows).toEqual([{ name: 'a' }]);
    expect(built).toBe(2);
    await database.close();
  });

  test('that writes says how many rows it changed, and rolls back with its unit', async () => {
    const database = await open();
    const double = prepareQuery<never, { from: number }>((unit, { from }) =>
      unit
        .query<Tables>()
        .updateTable('items')
        .set({ amount: sql`items.amount * 2` })
        .where('items.amount', '>=', from),
    );
    await database.write(someone, async (unit) => {
      await sql`create table items (name text not null primary key, amount bigint not null, note text)`.execute(
        unit.query(),
      );
      for (const amount of [1, 2, 3])
        await unit
          .query<Tables>()
          .insertInto('items')
          .values({ name: `${amount}`, amount, note: null })
          .execute();
      expect((await double(unit, { from: 2 })).numAffectedRows).toBe(2n);
    });
    await expect(
      database.write(someone, async (unit) => {
        await double(unit, { from: 0 });
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    const rows = await database.read.query<Tables>().selectFrom('items').select('items.amount').execute();
    expect(rows.map(({ amount }) => amount).toSorted((a, b) => a - b)).toEqual([1, 4, 6]);
    await database.close();
  });
});
