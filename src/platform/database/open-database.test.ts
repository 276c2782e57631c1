import { existsSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { systemIds } from '../ids.ts';
import { newSqlitePath } from '../testing/database.ts';
import { openDatabase } from './open-database.ts';

const open = (url: string) => openDatabase({ url, clock: systemClock, ids: systemIds });

test('a file that is no database is refused by name, and left alone', async () => {
  const path = newSqlitePath();
  writeFileSync(path, 'a text, and a long one: '.repeat(100));
  await expect(open(path)).rejects.toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: expect.stringContaining(`${path} cannot be opened: file is not a database`),
  });
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test('folders of a new SQLite file are made', async () => {
  const path = `${newSqlitePath()}.d/deep/tidemill.db`;
  await (await open(path)).close();
  expect(existsSync(path)).toBe(true);
});

test.each(['127.0.0.1', 'localhost'])('a PostgreSQL server that is not there is said to be so (%s)', async (host) => {
  await expect(open(`postgres://tidemill@${host}:1/tidemill`)).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    kind: 'unavailable',
  });
});
