import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createEventLog } from '#platform/events';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { openTestServer } from '#platform/testing/http';
import { createSecretsModule } from './index.ts';

const someone = { actor: 'user:test' };
const value = 'p4ss "word"/with=signs';

function newKeyFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'home', 'secrets.key');
}

describeDatabases('secrets', (open) => {
  async function setUp(keyFile = newKeyFile(), database?: TestDatabase) {
    const used = database ?? (await open());
    const module = createSecretsModule({ database: used, keyFile });
    await module.start();
    const { api } = module;
    const put = (name: string, text: string, grants?: readonly string[], project = 'flights') =>
      used.write(someone, (unit) => api.put(unit, project, name, text, grants));
    return { database: used, module, api, put, keyFile };
  }
  interface Rows {
    secrets: { project: string; name: string; ciphertext: string; tag: string };
  }

  test('a value comes back for whoever was granted it, and for nobody else', async () => {
    const { database, api, put } = await setUp();
    await put('db', value, ['pipeline:train', 'job:*']);
    for (const grantee of ['pipeline:train', 'job:1234', 'pipeline:train@3'])
      expect(await api.reveal(database.read, 'flights', 'db', grantee)).toBe(value);
    for (const grantee of ['pipeline:training', 'pipeline:other', 'deployment:train'])
      await expect(api.reveal(database.read, 'flights', 'db', grantee)).rejects.toMatchObject({
        code: 'SECRET_NOT_GRANTED',
      });
    await expect(api.reveal(database.read, 'default', 'db', 'job:1')).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
  });

  test('neither the database nor the event log holds the value', async () => {
    const { database, put } = await setUp();
    await put('db', value);
    const rows = await database.read.query<Rows>().selectFrom('secrets').selectAll().execute();
    const events = await createEventLog(database).list({ limit: 10 });
    const text = JSON.stringify([rows, events]);
    for (const form of [
      value,
      JSON.stringify(value).slice(1, -1),
      Buffer.from(value).toString('base64'),
      Buffer.from(value).toString('base64').replace(/=+$/, ''),
      Buffer.from(value).toString('base64url'),
    ])
      expect(text).not.toContain(form);
    expect(events).toMatchObject([{ type: 'secret.put', subject: 'secret:db', data: { replaced: false } }]);
  });

  test('the key is made once with mode 0600, and opens what an earlier process sealed', async () => {
    const first = await setUp();
    await first.put('db', value);
    expect(statSync(first.keyFile).mode & 0o777).toBe(0o600);
    const key = readFileSync(first.keyFile, 'utf8');
    const second = await setUp(first.keyFile, first.database);
    expect(readFileSync(first.keyFile, 'utf8')).toBe(key);
    expect(await second.api.reveal(first.database.read, 'flights', 'db', 'job:1')).toBe(value);
  });

  test('a key file that others can read, or that is damaged, is refused with the reason', async () => {
    const { keyFile, database } = await setUp();
    chmodSync(keyFile, 0o644);
    await expect(setUp(keyFile, database)).rejects.toMatchObject({ code: 'SECRET_KEY_UNAVAILABLE' });
    chmodSync(keyFile, 0o600);
    writeFileSync(keyFile, 'short');
    await expect(setUp(keyFile, database)).rejects.toThrow('64 hexadecimal digits');
  });

  test('another key, a changed row and a row moved elsewhere are told apart and do not open', async () => {
    const { database, api, put } = await setUp();
    await put('db', value);
    await put('db', 'another value', undefined, 'default');
    const other = await setUp(newKeyFile(), database);
    await expect(other.api.reveal(database.read, 'flights', 'db', 'job:1')).rejects.toThrow('another key');
    const stolen = await database.read
      .query<Rows>()
      .selectFrom('secrets')
      .selectAll()
      .where('project', '=', 'default')
      .executeTakeFirstOrThrow();
    await database.write(someone, async (unit) => {
      const { project: _, ...fields } = stolen;
      await unit.query<Rows>().updateTable('secrets').set(fields).where('project', '=', 'flights').execute();
    });
    await expect(api.reveal(database.read, 'flights', 'db', 'job:1')).rejects.toThrow('its row was changed');
  });

  test('values are masked from the moment they are put, in every form, and after a restart', async () => {
    const { database, api, put, keyFile } = await setUp();
    await put('db', value);
    await put('pem', 'first line of it\nsecond line of it\n');
    const restarted = await setUp(keyFile, database);
    for (const { maskSecrets } of [api, restarted.api]) {
      expect(maskSecrets(`connecting with ${value}!`)).toBe('connecting with [masked]!');
      expect(maskSecrets(JSON.stringify({ password: value }))).toBe('{"password":"[masked]"}');
      expect(maskSecrets(`postgres://u:${encodeURIComponent(value)}@db`)).toBe('postgres://u:[masked]@db');
      expect(maskSecrets(Buffer.from(value).toString('base64'))).toBe('[masked]');
      expect(maskSecrets('> second line of it')).toBe('> [masked]');
      expect(maskSecrets('nothing here')).toBe('nothing here');
    }
  });

  test('putting again replaces the value and keeps the grants; removing forgets it', async () => {
    const { database, api, put } = await setUp();
    await put('db', 'old value', ['job:*']);
    database.clock.advance(5);
    await put('db', 'new value');
    expect(await api.reveal(database.read, 'flights', 'db', 'job:1')).toBe('new value');
    const [listed] = await api.list(database.read, 'flights');
    expect(listed).toMatchObject({ grants: ['job:*'], updatedMs: (listed?.createdMs ?? 0) + 5 });
    await database.write(someone, (unit) => api.remove(unit, 'flights', 'db'));
    expect(await api.list(database.read, 'flights')).toEqual([]);
  });

  test('over HTTP names come out and values never do', async () => {
    const { module } = await setUp();
    const app = await openTestServer();
    module.routes(app);
    const url = '/projects/flights/api/v1/secrets';
    const put = await app.inject({ method: 'PUT', url: `${url}/db`, payload: { value, grants: ['pipeline:train'] } });
    expect(put.json()).toMatchObject({ name: 'db', grants: ['pipeline:train'] });
    const bad = await app.inject({ method: 'PUT', url: `${url}/db`, payload: { value, grants: ['train'] } });
    expect(bad.statusCode).toBe(400);
    const listed = await app.inject(url);
    expect(listed.json().items).toMatchObject([{ name: 'db' }]);
    expect(listed.body).not.toContain('p4ss');
    expect((await app.inject('/api/v1/secrets')).json().items).toEqual([]);
    expect((await app.inject({ method: 'DELETE', url: `${url}/db` })).statusCode).toBe(204);
    const gone = await app.inject({ method: 'DELETE', url: `${url}/db` });
    expect(gone.json().error.code).toBe('SECRET_NOT_FOUND');
  });

  test('any text comes back as it was', async () => {
    const { database, api, put } = await setUp();
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, unit: 'binary' }), async (text) => {
        await put('any', text);
        expect(await api.reveal(database.read, 'flights', 'any', 'job:1')).toBe(text);
      }),
      { numRuns: 30 },
    );
  });
});
