import { expect, test } from 'vitest';
import type { Role } from '#contracts/identity';
import { openPageServer } from '../testing/page-server.ts';
import { placeIn } from './sign-in.ts';

async function openServer(auth: 'on' | 'off') {
  const { app, modules, platform } = await openPageServer({ auth });
  const { api } = modules.identity;
  const tokenOf = (role: Role, project?: string) =>
    platform.database.write({ actor: 'user:test' }, (unit) =>
      api.issueToken(unit, { kind: 'user', name: role, role, ...(project !== undefined && { project }) }),
    );
  const host = 'localhost:7878';
  /** As a browser does: what it was told to keep, it sends. */
  const get = (url: string, cookie?: string) =>
    app.inject({ url, headers: { host, ...(cookie !== undefined && { cookie }) } });
  const send = (fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
    app.inject({
      method: 'POST',
      url: '/ui/sign-in',
      headers: { host, 'content-type': 'application/x-www-form-urlencoded', origin: `http://${host}`, ...headers },
      payload: new URLSearchParams(fields).toString(),
    });
  return { app, tokenOf, get, send, host };
}

const cookieOf = (header: unknown) => /^[^;]+/.exec(String(header))?.[0] ?? '';

test('a page that needs a token is a form in its place, which leads back to it', async () => {
  const { tokenOf, get, send } = await openServer('on');
  const { token } = await tokenOf('viewer');
  const asked = '/ui/experiments/0?filter=metrics.auc%20%3E%200.5&deleted=yes';
  const refused = await get(asked);
  // a browser has a dialog of its own for Basic, and none for Bearer
  expect([refused.statusCode, refused.headers['www-authenticate']]).toEqual([401, 'Bearer']);
  expect(refused.headers['content-type']).toContain('text/html');
  expect(refused.headers['content-security-policy']).toContain("form-action 'self'");
  expect(refused.headers['referrer-policy']).toBe('same-origin');
  expect(refused.body).toContain('<form method="post" action="/ui/sign-in">');
  expect(refused.body).toContain(`name="to" value="${asked.replaceAll('&', '&amp;')}"`);

  const wrong = await send({ token: 'tmu_wrong', to: asked });
  expect([wrong.statusCode, wrong.headers['set-cookie']]).toEqual([401, undefined]);
  expect(wrong.body).toMatch(/role="alert">The token is unknown/);
  expect(wrong.body).toContain(asked.replaceAll('&', '&amp;'));

  const signedIn = await send({ token: ` ${token}\n`, to: asked });
  expect([signedIn.statusCode, signedIn.headers.location]).toEqual([303, asked]);
  expect(signedIn.headers['set-cookie']).toBe(`tidemill_token_7878=${token}; Path=/; HttpOnly; SameSite=Lax`);
  const cookie = cookieOf(signedIn.headers['set-cookie']);
  for (const url of [
    asked,
    '/ui/models',
    '/ui/traces',
    '/api/v1/overview',
    '/api/2.0/mlflow/experiments/get?experiment_id=0',
  ])
    expect([url, (await get(url, cookie)).statusCode]).toEqual([url, 200]);
  expect((await get('/ui/sign-in', `other=1; ${cookie}`)).body).toContain('The server knows you as <code>token:');

  const out = await send({ out: 'yes', to: asked }, { cookie });
  expect(out.headers['set-cookie']).toContain('tidemill_token_7878=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
  expect((await get(String(out.headers.location))).body).toContain('This server asks for a token');
});

test('a cookie reads and changes nothing, is worth what its token is worth, and a header counts before it', async () => {
  const { app, tokenOf, get, host } = await openServer('on');
  const [admin, viewer] = [await tokenOf('admin'), await tokenOf('viewer', 'default')];
  const cookie = `tidemill_token_7878=${admin.token}`;
  const change = (url: string, headers: Readonly<Record<string, string>>) =>
    app.inject({ method: 'POST', url, headers: { host, ...headers }, payload: { name: 'made' } });
  const made = '/api/2.0/mlflow/experiments/create';
  expect((await change(made, { cookie, origin: `http://${host}` })).statusCode).toBe(401);
  expect((await change('/api/v1/projects', { cookie })).statusCode).toBe(401);
  expect((await change(made, { authorization: `Bearer ${admin.token}` })).statusCode).toBe(200);
  // of a server on another port it is none
  expect((await get('/ui/models', `tidemill_token_7994=${admin.token}`)).statusCode).toBe(401);
  const stale = await get('/ui/models', 'tidemill_token_7878=tmu_gone');
  expect([stale.statusCode, stale.body.includes('role="alert">the token is unknown')]).toEqual([401, true]);

  const headers = { host, cookie, authorization: 'Bearer tmu_wrong' };
  expect((await app.inject({ url: '/ui/models', headers })).statusCode).toBe(401);
  await change('/api/v1/projects', { authorization: `Bearer ${admin.token}` });
  const elsewhere = await get('/projects/made/ui/models?x=1', `tidemill_token_7878=${viewer.token}`);
  expect([elsewhere.statusCode, elsewhere.headers['www-authenticate']]).toEqual([403, undefined]);
  expect(elsewhere.body).toContain('href="/ui/sign-in?to=%2Fprojects%2Fmade%2Fui%2Fmodels%3Fx%3D1"');
});

test('programs are asked as before', async () => {
  const { app, tokenOf, get } = await openServer('on');
  const mlflow = await get('/api/2.0/mlflow/experiments/get?experiment_id=0');
  expect([mlflow.statusCode, mlflow.headers['www-authenticate']]).toEqual([401, 'Basic realm="mlflow"']);
  const own = await get('/api/v1/overview');
  expect([own.statusCode, own.headers['www-authenticate'], own.json().error.code]).toEqual([
    401,
    'Bearer',
    'TOKEN_MISSING',
  ]);
  const { token } = await tokenOf('viewer');
  const authorization = `Basic ${Buffer.from(`any:${token}`).toString('base64')}`;
  expect((await app.inject({ url: '/ui/models', headers: { authorization } })).statusCode).toBe(200);
});

test('the form is heard from pages of this server alone, and leads nowhere else', async () => {
  const { tokenOf, send } = await openServer('on');
  const { token } = await tokenOf('viewer');
  for (const origin of ['http://evil.example', 'null'])
    expect([origin, (await send({ token }, { origin })).statusCode]).toEqual([origin, 403]);
  expect((await send({ token, to: '//evil.example' })).headers.location).toBe('/');
  expect((await send({ token, to: 'x'.repeat(20_000) })).statusCode).toBe(413);
  const behindProxy = await send(
    { token },
    { host: 'localhost', origin: 'https://localhost', 'x-forwarded-proto': 'https' },
  );
  expect(behindProxy.headers['set-cookie']).toBe(`tidemill_token=${token}; Path=/; HttpOnly; SameSite=Lax; Secure`);
  for (const to of ['/', '/projects/p/ui/models?a=%20#b', '/#/experiments/1']) expect(placeIn(to)).toBe(to);
  for (const to of ['', 'x', '//x', '/\\x', '/\t/x', '/a b', 'https://x', 'javascript:1', undefined, ['/a']])
    expect(placeIn(to)).toBe('/');
});

test('a server that asks for no token minds none that a browser has kept', async () => {
  const { get } = await openServer('off');
  expect((await get('/ui/models', 'tidemill_token_7878=tmu_gone')).statusCode).toBe(200);
  expect((await get('/ui/sign-in?to=/ui/models')).body).toMatch(/asks for no token.*href="\/ui\/models"/s);
});
