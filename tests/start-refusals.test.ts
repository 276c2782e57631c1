import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { launcher, runTidemill } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { startPair } from './support/running-server.ts';

const testTimeoutMs = 120_000;
const freePorts = ['--port', '0', '--serving-port', '0'];
const inNamespace = ['--user', '--map-root-user', '--mount', 'sh', '-c'];

/** `up` that must not start: one sentence and the exit code of its kind. */
async function refuse(
  home: string,
  more: readonly string[] = freePorts,
): Promise<{ code: number | null; says: string }> {
  const { status, stdout, stderr } = await runTidemill(['up', '--home', home, ...more]);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toContain('mistake in Tidemill');
  return { code: status, says: stderr.trim() };
}

const upWith = (home: string): string => `exec ${launcher} up --home ${home} ${freePorts.join(' ')}`;

/** `up` in a namespace, which must not start: each line that it says. */
async function upIn(unshare: readonly string[]): Promise<{ status: number | null; says: readonly string[] }> {
  await builtModule('cli/main.js');
  const { status, stdout, stderr } = spawnSync('unshare', unshare, { encoding: 'utf8', timeout: 30_000 });
  expect(stdout).toBe('');
  expect(stderr).not.toContain('mistake in Tidemill');
  return { status, says: stderr.trim().split('\n') };
}

test(
  'a second control plane of one home is refused, and told the process and since when',
  async () => {
    const pair = await startPair();
    const { pid } = JSON.parse(readFileSync(join(pair.home, 'running.json'), 'utf8')) as { readonly pid: number };
    const { code, says } = await refuse(pair.home);
    expect(code).toBe(5);
    expect(says).toMatch(
      new RegExp(
        `in use by another control plane \\(process ${pid}, since 2\\d{3}-.*Z\\); stop that one first, with "tidemill down"`,
      ),
    );
    // the first one is as it was
    expect((await fetch(`${pair.servingUrl()}/health/live`)).status).toBe(200);
    expect(existsSync(join(pair.home, 'running.json'))).toBe(true);
  },
  testTimeoutMs,
);

test(
  'a second control plane of one PostgreSQL database is refused in the same words',
  async () => {
    const url = await newPostgresUrl();
    const pair = await startPair(['--database-url', url]);
    const { pid } = JSON.parse(readFileSync(join(pair.home, 'running.json'), 'utf8')) as { readonly pid: number };
    const { code, says } = await refuse(join(await temporaryFolder(), 'other'), [...freePorts, '--database-url', url]);
    expect(code).toBe(5);
    expect(says).toMatch(
      new RegExp(
        `by another control plane \\(tidemill process ${pid} on .*, since 2.*Z\\); stop that one first, with "tidemill down"`,
      ),
    );
    await pair.stop();
  },
  testTimeoutMs,
);

test(
  'a port in use is told, of either plane, and leaves nothing running',
  async () => {
    const taken = createServer();
    const port = await new Promise<string>((resolve) =>
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address();
        resolve(String(typeof address === 'object' ? address?.port : ''));
      }),
    );
    onTestFinished(() => void taken.close());
    const home = join(await temporaryFolder(), 'home');
    expect(await refuse(home, ['--port', port, '--serving-port', '0'])).toEqual({
      code: 5,
      says: expect.stringMatching(new RegExp(`port ${port} on 127.0.0.1 is in use; choose another with --port`)),
    });
    expect(existsSync(join(home, 'serving', 'process.json'))).toBe(false);
    expect(await refuse(home, ['--port', '0', '--serving-port', port])).toEqual({
      code: 5,
      says: expect.stringMatching(
        new RegExp(`127.0.0.1:${port} .*: is a port in use\\? Choose others with --serving-port and --grpc-port`),
      ),
    });
    expect(existsSync(join(home, 'running.json'))).toBe(false);
  },
  testTimeoutMs,
);

test(
  'an address without authentication, or of another machine, is refused',
  async () => {
    const home = join(await temporaryFolder(), 'home');
    const open = await runTidemill(['up', '--home', home, ...freePorts, '--host', '0.0.0.0']);
    expect(open).toMatchObject({ status: 2, stdout: '' });
    expect(open.stderr).toContain('so authentication is needed: add --auth on');
    const { says } = await refuse(home, [...freePorts, '--host', '192.0.2.1', '--auth', 'on']);
    expect(says).toContain('192.0.2.1:0 cannot be listened on (EADDRNOTAVAIL)');
  },
  testTimeoutMs,
);

test(
  'a home that cannot be written is told, and one that is missing is made',
  async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    for (const home of [join(folder, 'file'), join(folder, 'file', 'below')])
      expect(await refuse(home)).toEqual({
        code: 2,
        says: expect.stringMatching(
          new RegExp(`the home folder ${home} cannot be written \\(E.*choose another with --home`),
        ),
      });
  },
  testTimeoutMs,
);

/** Whether this machine gives a process a namespace of its own: a disk without room or without leave is made in one. */
const hasNamespaces = spawnSync('unshare', [...inNamespace, 'mount -t tmpfs tmpfs /tmp']).status === 0;

test.skipIf(!hasNamespaces)(
  'a disk without room is told as that (needs user namespaces)',
  async () => {
    const home = join(await temporaryFolder(), 'home');
    await mkdir(home);
    const { status, says } = await upIn([
      ...inNamespace,
      `mount -t tmpfs -o size=300k tmpfs ${home} && ${upWith(home)}`,
    ]);
    expect(status).toBe(1);
    expect(says).toEqual([expect.stringMatching(/the disk that holds .*home is full: free some space/)]);
  },
  testTimeoutMs,
);

test.skipIf(!hasNamespaces)(
  'a home on a read-only file system, or where one may not write, is told as that (needs user namespaces)',
  async () => {
    const folder = await temporaryFolder();
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const readOnly = `mount -t tmpfs tmpfs ${disk} && mkdir -p ${disk}/used/logs && mount -o remount,ro ${disk}`;
    for (const home of [disk, join(disk, 'below', 'it'), join(disk, 'used')])
      expect(await upIn([...inNamespace, `${readOnly} && ${upWith(home)}`])).toEqual({
        status: 2,
        says: [expect.stringMatching(new RegExp(`the home folder ${home} cannot be written \\(EROFS: read-only file`))],
      });
    const closed = join(folder, 'closed');
    await mkdir(closed, { mode: 0o555 });
    // without a map its root is nobody in particular, whom the mode of a folder binds
    for (const home of [closed, join(closed, 'below')])
      expect(await upIn(['--user', 'sh', '-c', upWith(home)])).toEqual({
        status: 2,
        says: [
          expect.stringMatching(new RegExp(`the home folder ${home} cannot be written \\(EACCES: permission denied`)),
        ],
      });
    const pair = await startPair();
    await pair.stop();
    await chmod(join(pair.home, 'tidemill.db'), 0o444);
    expect(await upIn(['--user', 'sh', '-c', upWith(pair.home)])).toEqual({
      status: 2,
      says: [expect.stringMatching(new RegExp(`the home folder ${pair.home} cannot be written \\(`))],
    });
  },
  testTimeoutMs,
);

test(
  'a database of a newer program is told, and left as it is',
  async () => {
    const pair = await startPair();
    await pair.stop();
    const file = join(pair.home, 'tidemill.db');
    const database = new Sqlite(file);
    database.prepare("insert into applied_migrations values ('9999-of-tomorrow', 'x', 0)").run();
    database.close();
    expect(await refuse(pair.home)).toEqual({
      code: 5,
      says: expect.stringMatching(/has migration 9999-of-tomorrow, which this version of Tidemill does not know/),
    });
  },
  testTimeoutMs,
);
