import { type Kysely, sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import { inList, listRows } from '../sql.ts';
import { describeDatabases, openTestDatabase, type TestDatabase } from '../testing/database.ts';
import type { Database, Reader, Unit } from './types.ts';

interface Tables {
  items: { name: string; amount: number };
}
const actor = 'user:local';
const someone = { actor };

const createItems = (unit: Unit) =>
  sql`create table items (name text not null primary key, amount bigint not null)`.execute(unit.query());
const put = (unit: Unit, name: string, amount = 1) =>
  unit.query<Tables>().insertInto('items').values({ name, amount }).execute();
const namesOf = async (reader: Reader) => {
  const rows = await reader.query<Tables>().selectFrom('items').select('items.name').orderBy('items.name').execute();
  return rows.map(({ name }) => name);
};
const begin = (reader: Reader) =>
  reader
    .query<Tables>()
    .transaction()
    .execute(async () => undefined);
const orphan = (unit: Unit) => sql`insert into children (parent) values ('nobody')`.execute(unit.query());
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describeDatabases('units of work', (open) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await open();
    await database.write(someone, createItems);
  });

  test('a unit answers after its writes can be read', async () => {
    const answer = await database.write(someone, async (unit) => {
      await put(unit, 'a');
      return 'done';
    });
    expect(answer).toBe('done');
    expect(await namesOf(database.read)).toEqual(['a']);
  });

  test('a unit sees its own writes, and readers see them only after the commit', async () => {
    const seen: Record<string, readonly string[]> = {};
    await database.write(someone, async (unit) => {
      await put(unit, 'a');
      seen['inside'] = await namesOf(unit);
      seen['outside'] = await namesOf(database.read);
    });
    expect(seen).toEqual({ inside: ['a'], outside: [] });
  });

  test('a text with U+0000 is refused wherever it stands, and a text that only speaks of it is kept', async () => {
    const escaped = ['\\u0000', '\\\\u0000', '["\\u0000"]'];
    await database.write(someone, async (unit) => {
      for (const name of escaped) await put(unit, name);
    });
    const names = sql.ref('items.name');
    const kept = await sql<{ name: string }>`select ${names} as name from items
      where ${inList(database.read, 'items.name', escaped)} order by name`.execute(database.read.query());
    expect(kept.rows.map(({ name }) => name)).toEqual(escaped.toSorted());
    const refused = { code: 'TEXT_HAS_NUL', kind: 'invalid' };
    for (const text of ['\0', 'a\0b', '\\\0', '["\0"]']) {
      await expect(database.write(someone, (unit) => put(unit, text))).rejects.toMatchObject(refused);
      for (const query of [
        sql`select 1 as one from items where ${names} = ${text}`,
        sql`select 1 as one from items where ${inList(database.read, 'items.name', ['a', text])}`,
        sql`select list.value from ${listRows(database.read, [text])}`,
      ])
        await expect(query.execute(database.read.query())).rejects.toMatchObject(refused);
    }
    expect(await namesOf(database.read)).toEqual(escaped.toSorted());
  });

  test('a write that a unit which failed had begun beside others changes nothing', async () => {
    const failing = database.write(someone, (unit) =>
      Promise.all([put(unit, 'a'), put(unit, 'b'), Promise.reject(new Error('no'))]),
    );
    await expect(failing).rejects.toThrow('no');
    await database.write(someone, (unit) => put(unit, 'c'));
    expect(await namesOf(database.read)).toEqual(['c']);
  });

  test('a unit that throws takes back only its own writes', async () => {
    const outcomes = await Promise.allSettled([
      database.write(someone, (unit) => put(unit, 'a')),
      database.write(someone, async (unit) => {
        await put(unit, 'b');
        throw new Error('changed my mind');
      }),
      database.write(someone, (unit) => put(unit, 'c')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await namesOf(database.read)).toEqual(['a', 'c']);
  });

  test('a broken constraint reaches the caller and spares the others', async () => {
    await database.write(someone, (unit) => put(unit, 'a'));
    const outcomes = await Promise.allSettled(
      ['b', 'a', 'c'].map((name) => database.write(someone, (unit) => put(unit, name))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await namesOf(database.read)).toEqual(['a', 'b', 'c']);
  });

  test('units that change the same row never lose an update', async () => {
    await database.write(someone, (unit) => put(unit, 'sum', 0));
    const increase = () =>
      database.write(someone, async (unit) => {
        const row = await unit.query<Tables>().selectFrom('items').select('items.amount').executeTakeFirstOrThrow();
        await unit
          .query<Tables>()
          .updateTable('items')
          .set({ amount: row.amount + 1 })
          .execute();
      });
    await Promise.all(Array.from({ length: 12 }, increase));
    const row = await database.read.query<Tables>().selectFrom('items').select('items.amount').executeTakeFirst();
    expect(row).toEqual({ amount: 12 });
  });

  test('queries that a unit starts side by side all belong to it', async () => {
    await database.write(someone, (unit) => Promise.all(['a', 'b', 'c'].map((name) => put(unit, name))));
    expect(await namesOf(database.read)).toEqual(['a', 'b', 'c']);
  });

  test('a unit used after its end throws', async () => {
    let kept: Unit | undefined;
    let handle: Kysely<Tables> | undefined;
    await database.write(someone, async (unit) => {
      kept = unit;
      handle = unit.query<Tables>();
      await put(unit, 'a');
    });
    await expect(put(kept as Unit, 'b')).rejects.toMatchObject({ code: 'UNIT_CLOSED' });
    await expect(handle?.deleteFrom('items').execute()).rejects.toMatchObject({ code: 'UNIT_CLOSED' });
    expect(() => kept?.afterCommit(() => undefined)).toThrow('after it had ended');
  });

  test('a transaction of Kysely is refused, inside a unit and outside', async () => {
    await expect(begin(database.read)).rejects.toMatchObject({ code: 'UNIT_NESTED_TRANSACTION' });
    await expect(database.write(someone, begin)).rejects.toMatchObject({ code: 'UNIT_NESTED_TRANSACTION' });
  });

  test('hints run after the commit, and only of units that were committed', async () => {
    const seen: (readonly string[])[] = [];
    const hint = () => void namesOf(database.read).then((names) => seen.push(names));
    await Promise.allSettled([
      database.write(someone, async (unit) => {
        unit.afterCommit(hint);
        await put(unit, 'a');
      }),
      database.write(someone, async (unit) => {
        unit.afterCommit(hint);
        throw new Error('no');
      }),
    ]);
    await expect.poll(() => seen).toEqual([['a']]);
  });

  test('a hint or a listener that throws harms neither its unit nor the next', async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning.message);
    process.on('warning', onWarning);
    const stop = database.onEvents(() => {
      throw new Error('bad listener');
    });
    await database.write(someone, async (unit) => {
      unit.afterCommit(() => {
        throw new Error('bad hint');
      });
      const data = { alertId: 'a', fingerprint: 'f', kind: 'k', reason: 'r' };
      await unit.emit({ type: 'alert.resolved', project: 'flights', subject: 'alert:1', data });
    });
    stop();
    await database.write(someone, (unit) => put(unit, 'a'));
    await expect.poll(() => warnings).toEqual(['bad listener', 'bad hint']);
    process.off('warning', onWarning);
  });

  test('big integers, counts and sums are numbers', async () => {
    await database.write(someone, async (unit) => {
      await put(unit, 'a', Number.MAX_SAFE_INTEGER - 1);
      await put(unit, 'b', 1);
    });
    const row = await database.read
      .query<Tables>()
      .selectFrom('items')
      .select((e) => [
        e.fn.countAll<number>().as('count'),
        e.fn.sum<number>('items.amount').as('sum'),
        e.fn.max('items.amount').as('max'),
      ])
      .executeTakeFirst();
    expect(row).toEqual({ count: 2, sum: Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER - 1 });
  });

  test('an integer beyond what a number holds exactly is an error, never rounded', async () => {
    const tooBig = database.read.query().selectNoFrom(sql<number>`cast(9007199254740993 as bigint)`.as('n')).execute();
    await expect(tooBig).rejects.toMatchObject({ code: 'INTEGER_UNSAFE' });
  });

  test('a double beyond 2^53 is a double', async () => {
    const rows = await database.read
      .query()
      .selectNoFrom(sql<number>`cast(1e20 as double precision)`.as('n'))
      .execute();
    expect(rows).toEqual([{ n: 1e20 }]);
  });

  test('readers cannot write', async () => {
    const write = database.read.query<Tables>().insertInto('items').values({ name: 'a', amount: 1 }).execute();
    await expect(write).rejects.toMatchObject({ code: 'READER_WRITES' });
  });

  test('closing waits for units that were handed in, and refuses later ones', async () => {
    const early = database.write(someone, (unit) => put(unit, 'a'));
    const closing = database.close();
    await expect(database.write(someone, (unit) => put(unit, 'b'))).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await Promise.all([early, closing]);
    const again = await database.reopen();
    expect(await namesOf(again.read)).toEqual(['a']);
  });

  test('a second control plane is refused and says who is there', async () => {
    await expect(database.reopen()).rejects.toMatchObject({ code: 'DATABASE_LOCKED', kind: 'conflict' });
  });

  test('a closed database says so to readers and writers, and closing again does nothing', async () => {
    await database.close();
    await database.close();
    await expect(namesOf(database.read)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    await expect(database.write(someone, createItems)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
  });

  test('the context and the time of the clock reach the unit', async () => {
    database.clock.advance(5);
    const context = { actor, cause: 'request-1' };
    const seen = await database.write(context, async (unit) => ({ context: unit.context, nowMs: unit.nowMs }));
    expect(seen).toEqual({ context, nowMs: database.clock.nowMs() });
  });
});

describe('the writer queue of SQLite', () => {
  let database: Database;
  beforeEach(async () => {
    database = await openTestDatabase();
    await database.write(someone, createItems);
  });

  test('units that are handed in together share one commit', async () => {
    // a batch also closes after a few milliseconds, so on a busy machine it may take several goes
    for (let go = 0; ; go += 1) {
      const before = (await namesOf(database.read)).length;
      const seen: number[] = [];
      await Promise.all(
        ['a', 'b', 'c'].map(async (name) => {
          await database.write(someone, async (unit) => {
            await put(unit, `${name}${go}`);
            seen.push((await namesOf(database.read)).length - before);
          });
          seen.push((await namesOf(database.read)).length - before);
        }),
      );
      if (go < 50 && seen.join() !== '0,0,0,3,3,3') continue;
      expect(seen).toEqual([0, 0, 0, 3, 3, 3]);
      return;
    }
  });

  test('a queue longer than a batch is worked off in order', async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 1000 }, (_, n) =>
        database.write(someone, (unit) => put(unit, `item ${n}`)).then(() => order.push(n)),
      ),
    );
    expect(order).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });

  test.each<[string, () => Promise<unknown>]>([
    ['a turn of the event loop', nextTurn],
    ['another unit', () => database.write(someone, (unit) => put(unit, 'inner'))],
    ['a promise that never settles', () => new Promise(() => undefined)],
  ])('a unit that waits for %s is rolled back and the queue goes on', async (_, wait) => {
    const bad = database.write(someone, async (unit) => {
      await put(unit, 'bad');
      await wait();
      await put(unit, 'late');
    });
    const good = database.write(someone, (unit) => put(unit, 'good'));
    await expect(bad).rejects.toMatchObject({ code: 'UNIT_FOREIGN_IO' });
    await good;
    expect(await namesOf(database.read)).toContain('good');
    expect(await namesOf(database.read)).not.toContain('bad');
  });

  test('a unit with hundreds of queries never counts as foreign', async () => {
    await database.write(someone, async (unit) => {
      for (let n = 0; n < 500; n++) await put(unit, `item ${n}`);
    });
    expect(await namesOf(database.read)).toHaveLength(500);
  });

  test('a commit that fails rejects every unit of its batch, and the next batch works', async () => {
    await database.write(someone, (unit) =>
      sql`create table children (parent text not null references items (name) deferrable initially deferred)`.execute(
        unit.query(),
      ),
    );
    const failed = { status: 'rejected', reason: { code: 'DATABASE_COMMIT_FAILED' } };
    // on a busy machine a batch may close before the second unit came: then the first is committed, and it is tried again
    for (let go = 0, before: readonly string[] = []; ; go += 1, before = await namesOf(database.read)) {
      const [first, second] = await Promise.allSettled([
        database.write(someone, (unit) => put(unit, `a${go}`)),
        database.write(someone, orphan),
      ]);
      expect(second).toMatchObject(failed);
      if (go < 50 && first.status === 'fulfilled') continue;
      expect(first).toMatchObject(failed);
      await database.write(someone, (unit) => put(unit, 'b'));
      expect(await namesOf(database.read)).toEqual([...before, 'b']);
      return;
    }
  });
});
