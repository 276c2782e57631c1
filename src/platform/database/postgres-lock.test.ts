import { Client } from 'pg';
import { expect, test } from 'vitest';
import { openTestDatabase } from '../testing/database.ts';

const someone = { actor: 'user:local' };

test('a lock on PostgreSQL whose connection breaks stops units until it is back', { timeout: 60_000 }, async () => {
  const database = await openTestDatabase({ dialect: 'postgres' });
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const ping = () => database.write(someone, async () => 'pong');
  expect(await ping()).toBe('pong');
  await client.query(
    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
  );
  await client.end();
  await expect.poll(() => ping().catch((error: { code: string }) => error.code)).toBe('DATABASE_LOCK_LOST');
  await expect.poll(() => ping().catch(() => 'not yet'), { timeout: 5000 }).toBe('pong');
});
