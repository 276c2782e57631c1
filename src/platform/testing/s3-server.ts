import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const run = promisify(execFile);
const version = 'v1.8.0';
const source = `github.com/versity/versitygw/cmd/versitygw@${version}`;

/**
 * A real S3 server for tests, versitygw: it checks signatures and If-None-Match. Go builds it once for this checkout
 * (a minute); each test process starts its own when its first test wants it, and it ends with the run.
 */
export interface S3Server {
  readonly endpoint: string;
  /** For a program that talks to it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly accessKey: string;
  readonly secretKey: string;
  /** `s3://<bucket>` of an empty bucket. */
  newBucket(): string;
  /** Where its objects lie as files. */
  readonly folder: string;
}

let serverOfProcess: Promise<S3Server> | undefined;

export function findOrStartS3(): Promise<S3Server> {
  serverOfProcess ??= startS3();
  return serverOfProcess;
}

async function startS3(): Promise<S3Server> {
  const program = await installed();
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-s3-'));
  const [accessKey, secretKey] = ['tidemill-tests', randomUUID()];
  const port = await findFreePort();
  const flags = ['--quiet', '--access', accessKey, '--secret', secretKey, '--port', `127.0.0.1:${port}`];
  const child = spawn(program, [...flags, 'posix', folder], { cwd: folder, stdio: 'ignore' });
  writeFileSync(join(inject('databaseFolder'), `s3-${child.pid}.json`), JSON.stringify({ pid: child.pid, folder }));
  await listening(port, child);
  child.unref();
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    accessKey,
    secretKey,
    folder,
    environment: {
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      TIDEMILL_S3_ENDPOINT: endpoint,
    },
    newBucket() {
      const name = `b-${randomUUID()}`;
      mkdirSync(join(folder, name)); // a bucket of its posix backend is a folder
      return `s3://${name}`;
    },
  };
}

async function installed(): Promise<string> {
  const cache = fileURLToPath(new URL('../../../node_modules/.cache/', import.meta.url));
  const program = join(cache, `versitygw-${version}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, 'versitygw-'));
  try {
    await run('go', ['install', source], { env: { ...process.env, GOBIN: draft, GOFLAGS: '-mod=mod' } });
    renameSync(join(draft, 'versitygw'), program);
    return program;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const reason = missing ? 'there is no Go on the PATH: install Go 1.24 or newer' : String(error);
    throw new Error(`the tests of S3 run against versitygw, which Go builds (go install ${source}): ${reason}`, {
      cause: error,
    });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (const until = Date.now() + 30_000; ; ) {
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => setTimeout(() => resolve(false), 20));
    });
    if (open) return;
    if (Date.now() > until) throw new Error('versitygw did not listen within 30 s');
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port on the loopback address');
  return address.port;
}
