import { CompiledQuery, sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/database.ts';
import type { Reader, Unit } from './types.ts';

interface Tables {
  items: { name: string; amount: number };
}
const someone = { actor: 'user:local' };
const put = (unit: Unit, name: string) =>
  unit.query<Tables>().insertInto('items').values({ name, amount: 1 }).execute();
const namesOf = async (reader: Reader) =>
  (await reader.query<Tables>().selectFrom('items').select('items.name').orderBy('items.name').execute()).map(
    ({ name }) => name,
  );
const run = (unit: Unit, text: string) => unit.query().executeQuery(CompiledQuery.raw(text));
const swallow = (unit: Unit, code: string) =>
  run(unit, `do $$ begin raise exception 'no' using errcode = '${code}'; end $$`).catch(() => undefined);
const putTwo = async (unit: Unit) => {
  await put(unit, 'a');
  await put(unit, 'b');
};
const pidOf = async (database: TestDatabase, work: (unit: Unit) => Promise<unknown>) => {
  let pid: number | undefined;
  const ended = database.write(someone, async (unit) => {
    pid = (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(unit.query())).rows[0]?.pid;
    await work(unit);
  });
  await ended.catch(() => undefined);
  return pid;
};
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

let database: TestDatabase;
beforeEach(async () => {
  database = await openTestDatabase({ dialect: 'postgres' });
  await database.write(someone, (unit) =>
    sql`create table items (name text not null primary key, amount bigint not null)`.execute(unit.query()),
  );
});

test('a write with the commit fails in the words of what wrote', async () => {
  const write = (work: (unit: Unit) => Promise<unknown>) =>
    database.write(someone, async (unit) => unit.withCommit(work(unit)));
  await expect(write((unit) => put(unit, 'a\0'))).rejects.toMatchObject({ code: 'TEXT_HAS_NUL' });
  const wrapped = write((unit) =>
    put(unit, null as unknown as string).catch((cause: unknown) => {
      throw new Error('mine', { cause });
    }),
  );
  await expect(wrapped).rejects.toThrow('mine');
  expect(await namesOf(database.read)).toEqual([]);
});

test('a transaction that did not begin takes nothing, however late it is sent', async () => {
  // every connection forgets its statements, so that `begin` fails in the message in which it leaves
  await database.write(someone, (unit) => run(unit, 'deallocate all')).catch(() => undefined);
  const late = database.write(someone, async (unit) => {
    await nextTurn();
    await nextTurn();
    await put(unit, 'a');
  });
  await expect(late).rejects.toMatchObject({ code: '26000' });
  expect(await namesOf(database.read)).toEqual([]);
});

test('a failure that the work swallowed is told at its end, and one that may pass runs it again', async () => {
  const lost = database.write(someone, async (unit) => {
    await swallow(unit, '22000');
  });
  await expect(lost).rejects.toMatchObject({ code: '22000' });
  let runs = 0;
  await database.write(someone, async (unit) => {
    runs += 1;
    if (runs === 1) await swallow(unit, '40001');
    unit.withCommit(put(unit, 'a'));
  });
  expect({ runs, names: await namesOf(database.read) }).toEqual({ runs: 2, names: ['a'] });
});

test('a write with the commit that needs a second statement is told as half done, not as failed', async () => {
  const outcome = database.write(someone, async (unit) => unit.withCommit(putTwo(unit)));
  await expect(outcome).rejects.toThrow(/is committed, but not all/);
  expect(await namesOf(database.read)).toEqual(['a']);
});

test('a connection that is lost inside a unit fails the unit, and nothing else', async () => {
  for (const busy of [false, true]) {
    const lost = database.write(someone, async (unit) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(unit.query());
      const sleep = busy ? run(unit, 'select pg_sleep(20)') : undefined;
      sleep?.catch(() => undefined);
      await database.write(someone, (other) => run(other, `select pg_terminate_backend(${rows[0]?.pid})`));
      await (sleep ?? put(unit, 'a'));
    });
    await expect(lost).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  }
  await database.write(someone, (unit) => put(unit, 'b'));
  expect(await namesOf(database.read)).toEqual(['b']);
});

test('a unit that fails beside a query on its way keeps its connection', async () => {
  const first = await pidOf(database, (unit) =>
    Promise.all([run(unit, 'select nothing'), Promise.reject(new Error('no'))]),
  );
  expect(await pidOf(database, () => Promise.resolve())).toBe(first);
});

test('what is used after its unit has failed is refused, and nothing is left over', async () => {
  let [late, goOn]: [Promise<unknown> | undefined, () => void] = [undefined, () => undefined];
  const ended = new Promise<void>((resolve) => (goOn = resolve));
  const outcome = database.write(someone, async (unit) => {
    late = ended.then(() => unit.withCommit(put(unit, 'late')));
    await Promise.all([run(unit, 'select nothing'), late]);
  });
  await expect(outcome).rejects.toThrow(/nothing/);
  goOn();
  await expect(late).rejects.toMatchObject({ code: 'UNIT_CLOSED' });
  expect(await namesOf(database.read)).toEqual([]);
});
