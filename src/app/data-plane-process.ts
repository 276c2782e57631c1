import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AppError } from '#platform/errors';
import { isAlive, startTimeOf } from '#platform/processes';

/** The data plane of this host: a process of its own that goes on when the control plane crashes. */
export interface DataPlaneProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly url: string;
  readonly version: string;
  readonly controlUrl: string;
  readonly tokenId: string;
}

export interface DataPlaneOptions {
  /** `<home>/serving`. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly controlUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Makes the pool's token for a new process. */
  issueToken(): Promise<{ readonly id: string; readonly token: string }>;
  revokeToken(id: string): Promise<void>;
}

const program = fileURLToPath(new URL('../../dist/serving/main.js', import.meta.url));
const recordFile = (folder: string): string => join(folder, 'process.json');
const stopTimeoutMs = 15_000;

/**
 * Takes over the data plane that an earlier control plane left behind when it is of this version and looks for us where
 * we are; else ends it in order and starts a new one.
 */
export async function ensureDataPlane(options: DataPlaneOptions): Promise<DataPlaneProcess> {
  const left = await findDataPlane(options.folder);
  if (left !== undefined) {
    if (left.version === options.version && left.controlUrl === options.controlUrl) return left;
    await stopDataPlane(options.folder);
    await options.revokeToken(left.tokenId);
  }
  const { id, token } = await options.issueToken();
  const started = await start(options, token);
  const record: DataPlaneProcess = {
    ...started,
    version: options.version,
    controlUrl: options.controlUrl,
    tokenId: id,
  };
  await writeFile(`${recordFile(options.folder)}.part`, JSON.stringify(record));
  await rename(`${recordFile(options.folder)}.part`, recordFile(options.folder));
  return record;
}

/** The one that runs from this folder; undefined when none does. */
export async function findDataPlane(folder: string): Promise<DataPlaneProcess | undefined> {
  try {
    const record = JSON.parse(await readFile(recordFile(folder), 'utf8')) as DataPlaneProcess;
    return isAlive(record.pid, record.startTime) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Drains it, then waits for its end; ends it by force when it does not come. */
export async function stopDataPlane(folder: string): Promise<void> {
  const running = await findDataPlane(folder);
  if (running !== undefined) {
    process.kill(running.pid, 'SIGTERM');
    const until = Date.now() + stopTimeoutMs;
    while (isAlive(running.pid, running.startTime)) {
      if (Date.now() > until) process.kill(running.pid, 'SIGKILL');
      await delay(20);
    }
  }
  await rm(recordFile(folder), { force: true });
}

async function start(
  options: DataPlaneOptions,
  token: string,
): Promise<{ readonly pid: number; readonly startTime: string; readonly url: string }> {
  mkdirSync(options.folder, { recursive: true });
  const log = openSync(join(options.folder, 'stderr.log'), 'a');
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      program,
      '--control-url',
      options.controlUrl,
      '--home',
      options.folder,
      '--host',
      options.host,
      '--port',
      String(options.port),
      '--log-file',
      join(options.folder, 'serving.log'),
    ],
    {
      detached: true,
      stdio: ['ignore', 'pipe', log],
      env: { ...options.environment, TIDEMILL_POOL_TOKEN: token },
    },
  );
  const { pid, stdout } = child;
  const startTime = pid === undefined ? undefined : startTimeOf(pid);
  const line = await new Promise<string | undefined>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve(undefined));
    if (stdout !== null) createInterface({ input: stdout }).once('line', resolve);
  });
  stdout?.destroy();
  child.unref();
  if (line === undefined || pid === undefined || startTime === undefined)
    throw new AppError(
      'DATA_PLANE_NOT_STARTED',
      'unavailable',
      `the data plane did not start on ${options.host}:${options.port}: is the port in use? Choose another with --serving-port; ${join(options.folder, 'stderr.log')} says more`,
    );
  const { url } = JSON.parse(line) as { readonly url: string };
  return { pid, startTime, url };
}
