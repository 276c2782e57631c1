import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { sql } from 'kysely';
import { beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { systemIds } from '../ids.ts';
import { newPostgresUrl, newSqlitePath } from '../testing/database.ts';
import { loadMigrations } from './migrations.ts';
import { openDatabase } from './open-database.ts';
import type { Database } from './types.ts';

let folder = '';
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
beforeEach(() => {
  folder = join(mkdtempSync(join(inject('databaseFolder'), 'migrations-')), 'migrations');
  mkdirSync(folder);
  write('0001-one.sql', 'create table one (id text primary key);');
});

const hasTable = async (database: Database, table: string) =>
  sql`select count(*) from ${sql.table(table)}`.execute(database.read.query()).then(
    () => true,
    () => false,
  );

describe.each(['sqlite', 'postgres'] as const)('migrations on %s', (dialect) => {
  let url = '';
  beforeEach(async () => {
    url = dialect === 'sqlite' ? newSqlitePath() : await newPostgresUrl();
  }, 60_000);
  async function open(): Promise<Database> {
    const database = await openDatabase({
      url,
      clock: systemClock,
      ids: systemIds,
      migrations: folder,
      durability: 'off',
    });
    onTestFinished(() => database.close());
    return database;
  }
  const close = async () => (await open()).close();

  test('they run in order, each once, with the variant of the database after the common text', async () => {
    write('0002-two.sql', 'create table two (id text primary key);');
    write('0002-two.sqlite.sql', 'alter table two add column kind text; insert into one values (1);');
    write('0002-two.postgres.sql', 'alter table two add column kind text; insert into one values (1);');
    await close();
    const database = await open();
    const { rows } = await sql`select one.id, two.kind from one left join two on two.id = one.id`.execute(
      database.read.query(),
    );
    expect(rows).toEqual([{ id: '1', kind: null }]);
  });

  test('one that fails leaves nothing of itself, and those before it stay', async () => {
    write('0002-two.sql', 'create table two (id text primary key); create table nonsense (;');
    await expect(open()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('0002-two'),
    });
    write('0002-two.sql', 'create table three (id text primary key);');
    const database = await open();
    expect(await Promise.all(['one', 'two', 'three'].map((table) => hasTable(database, table)))).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('one that was edited after it ran is refused', async () => {
    await close();
    write('0001-one.sql', 'create table one (id text primary key, more text);');
    await expect(open()).rejects.toMatchObject({
      code: 'MIGRATION_EDITED',
      message: expect.stringContaining('0001-one'),
    });
  });

  test('a database that is newer than the program is refused', async () => {
    write('0002-two.sql', 'create table two (id text primary key);');
    await close();
    folder = join(dirname(folder), 'older');
    mkdirSync(folder);
    write('0001-one.sql', 'create table one (id text primary key);');
    await expect(open()).rejects.toMatchObject({
      code: 'DATABASE_NEWER',
      message: expect.stringContaining('0002-two'),
    });
  });
});

test('a SQLite file that holds something is copied before it is migrated', async () => {
  const url = newSqlitePath();
  const open = () => openDatabase({ url, clock: systemClock, ids: systemIds, migrations: folder, durability: 'off' });
  await (await open()).close();
  const copies = () => readdirSync(dirname(url)).filter((name) => name.includes('.before-'));
  expect(copies()).toEqual([]);
  write('0002-two.sql', 'create table two (id text primary key);');
  await (await open()).close();
  await (await open()).close();
  expect(copies()).toEqual([expect.stringMatching(/^tidemill\.db\.before-0002-two\.\d+$/)]);
  const copy = new Sqlite(join(dirname(url), copies()[0] ?? ''), { readonly: true });
  expect(copy.prepare('select id from applied_migrations').pluck().all()).toEqual(['0001-one']);
  copy.close();
});

test('file names that are not understood and numbers used twice are refused', () => {
  write('0001-other.sql', '');
  expect(() => loadMigrations(folder, 'sqlite')).toThrow('have the same number');
  folder = mkdtempSync(join(inject('databaseFolder'), 'migrations-'));
  write('1-short.sql', '');
  expect(() => loadMigrations(folder, 'sqlite')).toThrow('is not named NNNN-name');
});
