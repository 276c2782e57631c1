import { existsSync, writeFileSync } from 'node:fs';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { newSqlitePath, openTestDatabase } from '../testing/database.ts';
import { openDatabase } from './open-database.ts';
import type { Unit } from './types.ts';

const someone = { actor: 'user:local' };
interface Tables {
  items: { n: number };
}
const put = (unit: Unit, n: number) => unit.query<Tables>().insertInto('items').values({ n }).execute();
const createItems = (unit: Unit) => sql`create table items (n bigint not null primary key)`.execute(unit.query());

test('a backup taken while units are written is a whole database of one moment', async () => {
  const database = await openTestDatabase();
  await database.write(someone, createItems);
  let n = 0;
  let done = false;
  const writing = (async () => {
    // Two rows a unit: a copy from the middle of a unit would have an odd number of them.
    while (!done) await database.write(someone, (unit) => Promise.all([put(unit, n++), put(unit, n++)]));
  })();
  const path = newSqlitePath();
  await database.backupTo(path);
  done = true;
  await writing;

  const { clock, ids } = database;
  const copy = await openDatabase({ url: path, clock, ids });
  const { rows } = await sql<{ n: number }>`select count(*) as n from items`.execute(copy.read.query());
  await copy.close();
  expect((rows[0]?.n ?? 1) % 2).toBe(0);
  expect(rows[0]?.n).toBeLessThanOrEqual(n);
});

test('a backup never replaces a file', async () => {
  const database = await openTestDatabase();
  const path = newSqlitePath();
  writeFileSync(path, 'mine');
  await expect(database.backupTo(path)).rejects.toMatchObject({ code: 'BACKUP_EXISTS', kind: 'conflict' });
});

test('a backup that fails leaves no half of a file', async () => {
  const database = await openTestDatabase();
  const path = `${newSqlitePath()}/no/such/folder.db`;
  await expect(database.backupTo(path)).rejects.toMatchObject({
    code: 'BACKUP_FAILED',
    message: expect.stringContaining('unable to open'),
  });
  expect(existsSync(`${path}.partial`)).toBe(false);
});

test('on PostgreSQL the answer names the tool for it', { timeout: 60_000 }, async () => {
  const database = await openTestDatabase({ dialect: 'postgres' });
  await expect(database.backupTo('x')).rejects.toMatchObject({
    code: 'BACKUP_UNSUPPORTED',
    message: expect.stringContaining('pg_dump'),
  });
});
