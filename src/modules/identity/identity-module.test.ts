import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createEventLog } from '#platform/events';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { openTestServer } from '#platform/testing/http';
import { type AuthMode, createIdentityModule, type NewToken } from './index.ts';

const someone = { actor: 'user:test' };
const here = { ip: '127.0.0.1' };

const eventsOf = async (database: TestDatabase) =>
  (await createEventLog(database).list({ limit: 100 })).map(({ type }) => type);

describeDatabases('identity', (open) => {
  async function setUp(auth: AuthMode = 'required') {
    const database = await open();
    const module = createIdentityModule({ database, clock: database.clock, auth });
    const { api } = module;
    const issue = (token: NewToken) => database.write(someone, (unit) => api.issueToken(unit, token));
    const as = (token: string) => api.authenticate({ headers: { authorization: `Bearer ${token}` }, ...here });
    return { database, module, api, issue, as };
  }
  const serve = async ({ module, api }: Awaited<ReturnType<typeof setUp>>) => {
    const app = await openTestServer({ authenticate: api.authenticate });
    module.routes(app);
    return app;
  };

  test('a server without authentication knows one person, on its own machine alone', async () => {
    const { api } = await setUp('open');
    const local = await api.authenticate({ headers: {}, ip: '::ffff:127.0.0.1' });
    expect(local.id).toBe('user:local');
    expect(local.can('admin', '*')).toBe(true);
    await expect(api.authenticate({ headers: {}, ip: '10.0.0.7' })).rejects.toMatchObject({ kind: 'unauthenticated' });
  });

  test('a wrong token is refused even by a server without authentication', async () => {
    const { as } = await setUp('open');
    await expect(as('tmu_wrong')).rejects.toMatchObject({ code: 'TOKEN_INVALID' });
  });

  test('a server with authentication asks who calls, in either form', async () => {
    const { api, issue } = await setUp();
    await expect(api.authenticate({ headers: {}, ...here })).rejects.toMatchObject({ code: 'TOKEN_MISSING' });
    const { token, id } = await issue({ kind: 'user', name: 'ci', role: 'viewer' });
    const basic = Buffer.from(`anything:${token}`).toString('base64');
    for (const authorization of [`Bearer ${token}`, `bearer ${token}`, `Basic ${basic}`])
      expect((await api.authenticate({ headers: { authorization }, ...here })).id).toBe(`token:${id}`);
    for (const authorization of ['Bearer', 'Digest x', `Basic ${Buffer.from('user').toString('base64')}`])
      await expect(api.authenticate({ headers: { authorization }, ...here })).rejects.toMatchObject({
        code: 'AUTHORIZATION_MALFORMED',
      });
  });

  test('a connection may change who it speaks for, and what it spoke with last may be revoked', async () => {
    const { database, api, issue } = await setUp();
    const [one, other] = [
      await issue({ kind: 'user', name: 'one', role: 'viewer' }),
      await issue({ kind: 'user', name: 'other', role: 'viewer' }),
    ];
    const connection = {};
    const as = async (token: string) =>
      (await api.authenticate({ headers: { authorization: `Bearer ${token}` }, connection, ...here })).id;
    for (const { id, token } of [one, one, other, one]) expect(await as(token)).toBe(`token:${id}`);
    await database.write(someone, (unit) => api.revokeToken(unit, one.id));
    await expect(as(one.token)).rejects.toMatchObject({ code: 'TOKEN_INVALID' });
    expect(await as(other.token)).toBe(`token:${other.id}`);
  });

  test('each role holds what those before it hold, in its own project', async () => {
    const { issue, as } = await setUp();
    const roles = { viewer: 1, editor: 2, approver: 3, admin: 4 } as const;
    const permissions = ['read', 'write', 'approve', 'admin'] as const;
    for (const [role, held] of Object.entries(roles) as ['viewer', number][]) {
      const principal = await as((await issue({ kind: 'user', name: role, role, project: 'flights' })).token);
      expect(permissions.filter((permission) => principal.can(permission, 'flights'))).toHaveLength(held);
      expect(permissions.some((permission) => principal.can(permission, 'other'))).toBe(false);
    }
  });

  test("a step's token is limited to its project and attempt, a replica's to its pool", async () => {
    const { issue, as } = await setUp();
    const step = await as(
      (await issue({ kind: 'step', name: 'fit', project: 'flights', scope: { attempt: 'a1' } })).token,
    );
    expect(step).toMatchObject({ id: 'step:a1', scope: { attempt: 'a1', project: 'flights' } });
    expect([step.can('step', 'flights'), step.can('write', 'flights')]).toEqual([true, true]);
    expect([step.can('step', 'other'), step.can('approve', 'flights'), step.can('replica', 'flights')]).toEqual([
      false,
      false,
      false,
    ]);
    const replica = await as((await issue({ kind: 'replica', name: 'r1', scope: { pool: 'default' } })).token);
    expect(replica).toMatchObject({ id: 'replica:default/r1', scope: { pool: 'default' } });
    expect([replica.can('replica', 'any'), replica.can('read', 'any')]).toEqual([true, false]);
    await expect(issue({ kind: 'step', name: 'fit' })).rejects.toMatchObject({ code: 'TOKEN_SCOPE_INVALID' });
  });

  test("a person's tokens are that person, with the person's roles, narrowed by the token's own", async () => {
    const { database, api, issue, as } = await setUp();
    await database.write(someone, async (unit) => {
      await api.createUser(unit, 'anna');
      await api.setRole(unit, { user: 'anna', project: 'flights', role: 'approver' });
    });
    const whole = await as((await issue({ kind: 'user', name: 'laptop', user: 'anna' })).token);
    const narrow = await as((await issue({ kind: 'user', name: 'ci', user: 'anna', role: 'viewer' })).token);
    expect([whole.id, narrow.id]).toEqual(['user:anna', 'user:anna']);
    expect([whole.can('approve', 'flights'), narrow.can('approve', 'flights')]).toEqual([true, false]);
    expect(narrow.can('read', 'flights')).toBe(true);
    expect(whole.can('read', 'other')).toBe(false);
  });

  test('a revoked, expired or disabled one stops working at once, known or not', async () => {
    const { database, api, issue, as } = await setUp();
    await database.write(someone, async (unit) => {
      await api.createUser(unit, 'anna');
      await api.setRole(unit, { user: 'anna', project: '*', role: 'admin' });
    });
    const revoked = await issue({ kind: 'user', name: 'one', role: 'admin' });
    const expiring = await issue({
      kind: 'user',
      name: 'two',
      role: 'admin',
      expiresAtMs: database.clock.nowMs() + 1000,
    });
    const annas = await issue({ kind: 'user', name: 'three', user: 'anna' });
    for (const { token } of [revoked, expiring, annas]) expect((await as(token)).can('admin', 'x')).toBe(true);
    await database.write(someone, (unit) => api.revokeToken(unit, revoked.id));
    database.clock.advance(1000);
    await database.write(someone, (unit) => api.disableUser(unit, 'anna'));
    for (const { token } of [revoked, expiring, annas])
      await expect(as(token)).rejects.toMatchObject({ code: 'TOKEN_INVALID' });
  });

  test('a role taken away counts for tokens that were looked up before', async () => {
    const { database, api, issue, as } = await setUp();
    await database.write(someone, async (unit) => {
      await api.createUser(unit, 'anna');
      await api.setRole(unit, { user: 'anna', project: 'flights', role: 'editor' });
    });
    const { token } = await issue({ kind: 'user', name: 'laptop', user: 'anna' });
    expect((await as(token)).can('write', 'flights')).toBe(true);
    await database.write(someone, (unit) => api.setRole(unit, { user: 'anna', project: 'flights' }));
    expect((await as(token)).can('read', 'flights')).toBe(false);
  });

  test('tokens are kept as digests alone', async () => {
    const { database, issue } = await setUp();
    const { token, digest } = await issue({ kind: 'user', name: 'ci', role: 'viewer' });
    const rows = await database.read
      .query<{ tokens: Record<string, unknown> }>()
      .selectFrom('tokens')
      .selectAll()
      .execute();
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(JSON.stringify(rows)).toContain(digest);
  });

  test('the data plane gets the digests of those who may read a project', async () => {
    const { database, api, issue } = await setUp();
    await database.write(someone, async (unit) => {
      await api.createUser(unit, 'anna');
      await api.createUser(unit, 'ben');
      await api.setRole(unit, { user: 'anna', project: 'flights', role: 'viewer' });
    });
    const reader = await issue({ kind: 'user', name: 'a', user: 'anna' });
    await issue({ kind: 'user', name: 'b', user: 'ben' });
    const everywhere = await issue({ kind: 'user', name: 'c', role: 'viewer' });
    await issue({ kind: 'user', name: 'd', role: 'viewer', project: 'other' });
    const gone = await issue({ kind: 'user', name: 'e', role: 'viewer' });
    await database.write(someone, (unit) => api.revokeToken(unit, gone.id));
    const digests = await api.readerDigests(database.read, 'flights', database.clock.nowMs());
    expect([...digests].toSorted()).toEqual([reader.digest, everywhere.digest].toSorted());
  });

  test('the first admin token lies in a private file, survives a restart and stays revoked', async () => {
    const database = await open();
    const folder = mkdtempSync(join(tmpdir(), 'identity-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const adminTokenFile = join(folder, 'home', 'admin-token');
    const start = async () => {
      const module = createIdentityModule({ database, clock: database.clock, auth: 'required', adminTokenFile });
      await module.start();
      return module.api;
    };
    const first = await start();
    const token = readFileSync(adminTokenFile, 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    const principal = await first.authenticate({ headers, ...here });
    expect(principal.can('admin', '*')).toBe(true);
    expect(statSync(adminTokenFile).mode & 0o777).toBe(0o600);
    const second = await start();
    expect((await second.authenticate({ headers, ...here })).id).toBe(principal.id);
    await database.write(someone, (unit) => second.revokeToken(unit, principal.id.slice('token:'.length)));
    const third = await start();
    await expect(third.authenticate({ headers, ...here })).rejects.toMatchObject({ code: 'TOKEN_INVALID' });
  });

  test('users, roles and tokens are managed over HTTP, each change an event', async () => {
    const all = await setUp();
    const app = await serve(all);
    const { token } = await all.issue({ kind: 'user', name: 'root', role: 'admin' });
    const headers = { authorization: `Bearer ${token}` };
    const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
      app.inject({ method, url, headers, ...(payload !== undefined && { payload }) });

    expect((await app.inject('/api/v1/whoami')).statusCode).toBe(401);
    expect((await call('GET', '/api/v1/whoami')).json()).toMatchObject({
      project: 'default',
      permissions: { length: 7 },
    });

    const made = await call('POST', '/projects/flights/api/v1/users', { name: 'anna', role: 'editor' });
    expect(made.json()).toMatchObject({
      name: 'anna',
      roles: [{ project: 'flights', role: 'editor' }],
      disabled: false,
    });
    await call('PUT', '/api/v1/users/anna/role', { role: 'viewer', allProjects: true });
    const { items } = (await call('GET', '/api/v1/users')).json();
    expect(items[0].roles).toEqual([
      { project: '*', role: 'viewer' },
      { project: 'flights', role: 'editor' },
    ]);

    const issued = await call('POST', '/projects/flights/api/v1/tokens', { name: 'laptop', user: 'anna' });
    expect(issued.statusCode).toBe(201);
    const annas = { authorization: `Bearer ${issued.json().token}` };
    const whoami = await app.inject({ url: '/projects/flights/api/v1/whoami', headers: annas });
    expect(whoami.json()).toEqual({ id: 'user:anna', project: 'flights', permissions: ['public', 'read', 'write'] });
    const denied = await app.inject({ url: '/projects/flights/api/v1/tokens', headers: annas });
    expect(denied.statusCode).toBe(403);

    const revoked = await call('DELETE', `/api/v1/tokens/${issued.json().info.id}`);
    expect(revoked.json().revokedAt).toBe('2026-01-01T00:00:00.000Z');
    expect((await app.inject({ url: '/projects/flights/api/v1/whoami', headers: annas })).statusCode).toBe(401);
    expect((await call('GET', '/api/v1/tokens?limit=1')).json()).toMatchObject({ items: [{ name: 'laptop' }] });
    expect((await call('DELETE', '/api/v1/users/anna')).json().disabled).toBe(true);
    expect(await eventsOf(all.database)).toEqual([
      'token.issued',
      'user.created',
      'role.changed',
      'role.changed',
      'token.issued',
      'token.revoked',
      'user.disabled',
    ]);

    // what the server gave itself is shown when it is asked for; a replica of a person's making is always
    for (const actor of ['system:jobs', 'user:anna'])
      await all.database.write({ actor }, (unit) =>
        all.api.issueToken(unit, { kind: 'replica', name: `by ${actor}`, scope: { pool: 'default' } }),
      );
    const names = async (query = '') =>
      (await call('GET', `/api/v1/tokens${query}`)).json().items.map(({ name }: { readonly name: string }) => name);
    expect(await names()).toContain('by user:anna');
    expect(await names()).not.toContain('by system:jobs');
    expect(await names('?internal=true')).toEqual(expect.arrayContaining(['by user:anna', 'by system:jobs', 'laptop']));
  });

  test("an admin of one project cannot reach over into others'", async () => {
    const all = await setUp();
    const app = await serve(all);
    const { token } = await all.issue({ kind: 'user', name: 'lead', role: 'admin', project: 'flights' });
    const other = await all.issue({ kind: 'user', name: 'x', role: 'viewer', project: 'other' });
    const headers = { authorization: `Bearer ${token}` };
    const call = (method: 'POST' | 'PUT' | 'DELETE', path: string, payload?: object) =>
      app.inject({
        method,
        url: `/projects/flights/api/v1${path}`,
        headers,
        ...(payload !== undefined && { payload }),
      });
    expect((await call('POST', '/tokens', { name: 'n', role: 'admin', allProjects: true })).json().error.code).toBe(
      'ADMIN_OF_ALL_REQUIRED',
    );
    expect((await call('DELETE', `/tokens/${other.id}`)).json().error.code).toBe('TOKEN_NOT_FOUND');
    await call('POST', '/users', { name: 'anna' });
    expect((await call('PUT', '/users/anna/role', { role: 'admin', allProjects: true })).statusCode).toBe(403);
    expect((await call('PUT', '/users/anna/role', { role: 'admin' })).json().roles).toEqual([
      { project: 'flights', role: 'admin' },
    ]);
    expect((await call('DELETE', '/users/anna')).statusCode).toBe(403);
  });
});
