import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createToken, type Role } from '../src/contracts/identity.ts';
import { runTidemill } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { type RunningPair, startPair } from './support/running-server.ts';
import { serveModel } from './support/served-model.ts';

const testTimeoutMs = 180_000;
const everywhere = ['--host', '0.0.0.0', '--auth', 'on'];

/** The status of a call, with a token and headers of one's choice. */
async function call(
  pair: RunningPair,
  method: string,
  path: string,
  token: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; headers: Readonly<Record<string, unknown>> }> {
  return await new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, pair.url()),
      {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (answer) => {
        answer.resume();
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers }));
      },
    );
    sent.once('error', reject);
    sent.end(method === 'GET' ? undefined : '{}');
  });
}

const issue = async (pair: RunningPair, name: string, body: object): Promise<string> =>
  (await pair.client().call(createToken, { body: { name, ...body } })).token;

test(
  'on every address, with authentication: the first token lies in the home, and each role is held to what it may',
  async () => {
    const pair = await startPair(everywhere);
    expect(pair.token()).toMatch(/^tmu_/);
    const roles: readonly Role[] = ['viewer', 'editor', 'approver', 'admin'];
    // 400 and 404: it was let in, and its empty body or what it named was looked at
    const calls = [
      ['GET', '/api/v1/whoami'],
      ['PUT', '/api/v1/goal'],
      ['POST', '/api/v1/approvals/none/decision'],
      ['GET', '/api/v1/users'],
      ['GET', '/api/v1/backup'],
    ] as const;
    const allowed: Record<string, boolean[]> = {};
    for (const role of roles) {
      const token = await issue(pair, role, { role });
      const answers = await Promise.all(calls.map(([method, path]) => call(pair, method, path, token)));
      allowed[role] = answers.map(({ status }) => status !== 401 && status !== 403);
    }
    expect(allowed).toEqual({
      viewer: [true, false, false, false, false],
      editor: [true, true, false, false, false],
      approver: [true, true, true, false, false],
      admin: [true, true, true, true, false], // of one project: a backup holds all of them
    });
    for (const [method, path] of calls) {
      expect((await call(pair, method, path, undefined)).status).toBe(401);
      expect((await call(pair, method, path, `tmu_${'A'.repeat(43)}`)).status).toBe(401);
    }
    // the token of a project is worth nothing in another
    const admin = await issue(pair, 'admin of default', { role: 'admin' });
    expect((await call(pair, 'GET', '/projects/other/api/v1/whoami', admin)).status).toBe(403);

    // pages of other sites
    const rebound = await call(pair, 'GET', '/api/v1/whoami', pair.token(), { host: 'evil.example' });
    expect(rebound.status).toBe(403);
    const foreign = await call(pair, 'PUT', '/api/v1/goal', pair.token(), { origin: 'https://evil.example' });
    expect(foreign.status).toBe(403);
    const preflight = await call(pair, 'OPTIONS', '/api/v1/goal', undefined, {
      origin: 'https://evil.example',
      'access-control-request-method': 'PUT',
    });
    for (const { headers } of [rebound, foreign, preflight])
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  },
  testTimeoutMs,
);

test(
  'a data plane has the calls of its pool and no others, and an admin of one project has none of them',
  async () => {
    const pair = await startPair(everywhere);
    const replica = await issue(pair, 'elsewhere', { kind: 'replica', pool: 'other' });
    expect((await call(pair, 'GET', '/data-plane/pools/other/spec', replica)).status).toBe(200);
    expect((await call(pair, 'GET', '/data-plane/pools/default/spec', replica)).status).toBe(403);
    expect((await call(pair, 'GET', '/api/v1/whoami', replica)).status).toBe(403);
    expect((await call(pair, 'GET', '/data-plane/pools/default/spec', undefined)).status).toBe(401);

    const projectAdmin = await issue(pair, 'admin of default', { role: 'admin' });
    // a pool's spec names the endpoints of every project, its files are their models
    for (const prefix of ['', '/projects/default'])
      expect((await call(pair, 'GET', `${prefix}/data-plane/pools/default/spec`, projectAdmin)).status).toBe(403);
    const made = pair.client().inProject('default');
    await expect(
      made.call(createToken, { body: { name: 'x', kind: 'replica', pool: 'default' } }),
    ).resolves.toBeDefined();
    const body = JSON.stringify({ name: 'x', kind: 'replica', pool: 'default' });
    const answer = await fetch(`${pair.url()}/api/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${projectAdmin}`, 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(403);
  },
  testTimeoutMs,
);

test(
  'the command line takes its token from a file, the environment or the home, and says when it has none',
  async () => {
    const pair = await startPair(everywhere);
    const elsewhere = await temporaryFolder();
    const far = ['--url', pair.url(), '--home', elsewhere, '--json'];
    const tokenFile = `${pair.home}/admin-token`;
    const lists = [
      'alert',
      'approval',
      'artifact',
      'dataset',
      'deployment',
      'job',
      'model',
      'project',
      'secret',
      'token',
    ];

    for (const noun of lists) {
      const [near, byFile] = await Promise.all([
        runTidemill([noun, 'list', '--json', '--home', pair.home]),
        runTidemill([noun, 'list', ...far, '--token-file', tokenFile]),
      ]);
      expect({ noun, near: near.status, byFile: byFile.status }).toEqual({ noun, near: 0, byFile: 0 });
    }
    const environment = { TIDEMILL_TOKEN: pair.token() ?? '' };
    expect((await runTidemill(['events', 'list', ...far], { environment })).status).toBe(0);
    expect((await runTidemill(['backup', `${elsewhere}/b.tar`, ...far], { environment })).status).toBe(0);
    const none = await runTidemill(['dataset', 'list', ...far]);
    expect(none.status).toBe(4);
    expect(none.stdout + none.stderr).toContain('TOKEN_MISSING');
    expect(none.stdout + none.stderr).toContain('--token-file or TIDEMILL_TOKEN_FILE');
    const wrong = await runTidemill(['dataset', 'list', ...far], { environment: { TIDEMILL_TOKEN: 'tmu_no' } });
    expect(wrong.status).toBe(4);
    const unreadable = await runTidemill(['dataset', 'list', ...far, '--token-file', 'nowhere']);
    expect(unreadable.status).toBe(2);
  },
  testTimeoutMs,
);

test(
  'a token of one project is enough to work in it from the command line',
  async () => {
    const pair = await startPair(everywhere);
    const cwd = await temporaryFolder();
    const step = 'echo 1 > "$TIDEMILL_OUTPUT_X"';
    const steps = `{ a: { run: '${step}', outputs: [x] } }`;
    await writeFile(join(cwd, 'tidemill.yaml'), `project: tiny\npipelines: { train: { steps: ${steps} } }\n`);
    const as = (token: string | undefined, ...args: string[]) =>
      runTidemill([...args, '--url', pair.url()], { cwd, environment: { TIDEMILL_TOKEN: token ?? '' } });
    expect((await as(pair.token(), 'whoami')).stdout).toContain('your role is admin'); // no project "tiny" yet
    expect((await as(pair.token(), 'apply')).status).toBe(0);
    const made = await as(pair.token(), 'token', 'create', 'ci', '--role', 'editor', '--quiet');
    const editor = made.stdout.trim();
    expect(editor).toMatch(/^tmu_[\w-]{43}$/);
    expect((await as(editor, 'apply', '--wait')).status).toBe(0);
    expect((await as(editor, 'run', 'train', '--wait')).status).toBe(0);
    const projects = await as(editor, 'project', 'list', '--json');
    expect((JSON.parse(projects.stdout) as { items: { name: string }[] }).items.map(({ name }) => name)).toEqual([
      'tiny',
    ]);
    const refused = await as(await issue(pair, 'look', { role: 'viewer', allProjects: true }), 'run', 'train');
    expect([refused.status, refused.stderr]).toEqual([4, expect.stringContaining('no "write" permission')]);
  },
  testTimeoutMs,
);

test(
  'callers of predictions are known by the digests of the spec, also while the control plane is away',
  async () => {
    const pair = await startPair(everywhere);
    const model = await serveModel(pair);
    const askAs = async (token: string | undefined): Promise<number> =>
      (
        await fetch(`${pair.servingUrl()}/projects/flights/v2/models/late/infer`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
          },
          body: '{}',
        })
      ).status;
    await model.ask();
    await pair.killControlPlane();
    await model.ask();
    expect(await askAs(undefined)).toBe(401);
    expect(await askAs(`tmu_${'A'.repeat(43)}`)).toBe(401);
    expect(await askAs(pair.token())).toBe(400); // known, and its empty body is looked at
  },
  testTimeoutMs,
);
