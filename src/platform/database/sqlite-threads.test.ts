import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inList } from '../sql.ts';
import { describeDatabases, openTestDatabase, type TestDatabase } from '../testing/database.ts';
import type { Reader, Unit } from './types.ts';

const someone = { actor: 'user:local' };

const create = (unit: Unit) =>
  sql`create table items (name text not null primary key, amount bigint)`.execute(unit.query());
const put = (unit: Unit, name: string, amount: number | null) =>
  sql`insert into items (name, amount) values (${name}, ${amount})`.execute(unit.query());
const ask = async (reader: Reader) =>
  (await sql<{ bytes: Uint8Array }>`select x'00ff10' as bytes, ${'é'} as text`.execute(reader.query())).rows;
const all = async (reader: Reader) =>
  (await sql`select items.name, items.amount from items order by items.name`.execute(reader.query())).rows;

describeDatabases('reads that take long', (open) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await open();
    await database.write(someone, create);
  });

  test('see each commit as soon as it is answered', async () => {
    expect(await all(database.longRead)).toEqual([]);
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      await database.write(someone, (unit) => put(unit, name, index === 1 ? null : index));
      expect(await all(database.longRead)).toEqual(await all(database.read));
    }
    expect(await all(database.longRead)).toHaveLength(3);
  });

  test('hold nobody up, however many there are', async () => {
    const ended: string[] = [];
    const count = () =>
      sql`with recursive counted(n) as (select 1 union all select n + 1 from counted where n < 2000000)
        select count(*) as size from counted`
        .execute(database.longRead.query())
        .then(({ rows }) => ended.push(JSON.stringify(rows)));
    const counts = Promise.all([count(), count(), count()]);
    await database.write(someone, (unit) => put(unit, 'a', 1));
    expect(await all(database.read)).toHaveLength(1);
    expect(ended).toEqual([]);
    await counts;
    expect(ended).toEqual(Array.from({ length: 3 }, () => '[{"size":2000000}]'));
  });

  test('refuse what other reads refuse, in the same words', async () => {
    await database.write(someone, (unit) => put(unit, 'a', Number.MAX_SAFE_INTEGER));
    const query = database.longRead.query();
    await expect(sql`select items.amount + 10 as amount from items`.execute(query)).rejects.toMatchObject({
      code: 'INTEGER_UNSAFE',
    });
    await expect(sql`select 1 as one from nowhere`.execute(query)).rejects.toThrow(/nowhere/);
    await expect(
      sql`select 1 as one from items where ${inList(database.longRead, 'items.name', ['\0'])}`.execute(query),
    ).rejects.toMatchObject({ code: 'TEXT_HAS_NUL' });
    await expect(sql`insert into items (name) values ('b')`.execute(query)).rejects.toMatchObject({
      code: 'READER_WRITES',
    });
    expect(await all(database.longRead)).toHaveLength(1); // and go on
  });

  test('end with the database', async () => {
    const reading = all(database.longRead);
    reading.catch(() => undefined);
    await database.close();
    const outcome = await reading.then(
      (rows) => rows.length,
      (error: { readonly code?: string }) => error.code,
    );
    expect([0, 'DATABASE_CLOSED']).toContain(outcome);
    await expect(all(database.longRead)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
  });
});

test('on SQLite bytes come as they are, and a database that is opened again is read from its file', async () => {
  const database = await openTestDatabase();
  const [row] = await ask(database.longRead);
  expect(row).toEqual({ bytes: new Uint8Array([0, 255, 16]), text: 'é' });
  await database.close();
  expect(await ask((await database.reopen()).longRead)).toHaveLength(1);
});
