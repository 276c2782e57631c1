import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { packagePath } from '#platform/package-path';
import { isAlive, startTimeOf } from '#platform/processes';
import { startErrors } from './start-errors.ts';

/** The data plane of this host: a process of its own that goes on when the control plane crashes. */
export interface DataPlaneProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly url: string;
  /** `host:port` of predictions over gRPC; absent when that is off. */
  readonly grpcAddress?: string;
  readonly grpcMaxMessageBytes: number;
  readonly version: string;
  readonly controlUrl: string;
  readonly tokenId: string;
  /** What it was told to listen on, and by which names it may be addressed. */
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly maxBodyBytes: number;
  readonly further?: DataPlaneOptions['further'];
  /** Of OpenTelemetry's variables, which may hold a secret. */
  readonly otelDigest?: string;
}

export interface DataPlaneOptions {
  /** `<home>/serving`. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number | 'off';
  readonly grpcMaxMessageBytes: number;
  readonly version: string;
  readonly controlUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  /** OpenTelemetry's variables: for this process alone, since they may hold a token of the collector. */
  readonly otel: Readonly<Record<string, string>>;
  /** Python environments are built once for both planes. */
  readonly pythonFolder: string;
  readonly python: string | undefined;
  /** Names beside the bound host by which callers may address it. */
  readonly allowedHosts: readonly string[];
  /** Of one request's body. */
  readonly maxBodyBytes: number;
  /** Further options, by their flags. */
  readonly further: Readonly<Record<string, string | number>>;
  /** Makes the pool's token for a new process. */
  issueToken(): Promise<{ readonly id: string; readonly token: string }>;
  revokeToken(id: string): Promise<void>;
}

const program = packagePath('dist', 'program', 'serving.js');
const recordFile = (folder: string): string => join(folder, 'process.json');
const stopTimeoutMs = 15_000;

export interface RunningDataPlane extends DataPlaneProcess {
  /** Taken over from an earlier control plane. */
  readonly adopted: boolean;
  /** Resolves when the process is gone, with how it ended. */
  readonly ended: Promise<string>;
}

/**
 * Takes over the data plane that an earlier control plane left behind when it is of this version, looks for us where we
 * are and listens where it is asked to now; else ends it in order and starts a new one.
 */
export async function ensureDataPlane(options: DataPlaneOptions): Promise<RunningDataPlane> {
  const left = await readRecord(options.folder);
  if (left !== undefined) {
    if (isAsAsked(left, options) && isAlive(left.pid, left.startTime))
      return { ...left, adopted: true, ended: watchForeign(left) };
    await stopDataPlane(options.folder);
    await options.revokeToken(left.tokenId);
  }
  const { id, token } = await options.issueToken();
  const { ended, ...started } = await start(options, token);
  const record: DataPlaneProcess = {
    ...started,
    grpcMaxMessageBytes: options.grpcMaxMessageBytes,
    version: options.version,
    controlUrl: options.controlUrl,
    tokenId: id,
    host: options.host,
    allowedHosts: options.allowedHosts,
    maxBodyBytes: options.maxBodyBytes,
    further: options.further,
    otelDigest: digestOf(options.otel),
  };
  await writeFile(`${recordFile(options.folder)}.part`, JSON.stringify(record));
  await rename(`${recordFile(options.folder)}.part`, recordFile(options.folder));
  return { ...record, adopted: false, ended };
}

const isAsAsked = (left: DataPlaneProcess, asked: DataPlaneOptions) =>
  left.version === asked.version &&
  left.controlUrl === asked.controlUrl &&
  left.host === asked.host &&
  (asked.port === 0 || new URL(left.url).port === String(asked.port)) &&
  (asked.grpcPort === 'off') === (left.grpcAddress === undefined) &&
  (typeof asked.grpcPort === 'string' || asked.grpcPort === 0 || grpcPortOf(left) === asked.grpcPort) &&
  left.grpcMaxMessageBytes === asked.grpcMaxMessageBytes &&
  JSON.stringify(left.allowedHosts) === JSON.stringify(asked.allowedHosts) &&
  left.maxBodyBytes === asked.maxBodyBytes &&
  JSON.stringify(left.further) === JSON.stringify(asked.further) &&
  left.otelDigest === digestOf(asked.otel);

function digestOf(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex');
}

/** What OpenTelemetry's programs read. */
export const otelVariablesOf = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith('OTEL_') && value !== undefined ? [[name, value]] : [],
    ),
  );

/** Where it listens for gRPC. */
export const grpcPortOf = ({ grpcAddress }: Pick<DataPlaneProcess, 'grpcAddress'>): number | 'off' =>
  grpcAddress === undefined ? 'off' : Number(grpcAddress.slice(grpcAddress.lastIndexOf(':') + 1));

/** The one that runs from this folder; undefined when none does. */
export async function findDataPlane(folder: string): Promise<DataPlaneProcess | undefined> {
  const record = await readRecord(folder);
  return record !== undefined && isAlive(record.pid, record.startTime) ? record : undefined;
}

async function readRecord(folder: string): Promise<DataPlaneProcess | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(folder), 'utf8')) as DataPlaneProcess;
  } catch {
    return undefined; // none was ever started, or it was stopped in order
  }
}

const lookEveryMs = 500;

/** A process that is no child of ours tells nobody of its end. */
async function watchForeign({ pid, startTime }: DataPlaneProcess): Promise<string> {
  while (isAlive(pid, startTime)) await delay(lookEveryMs, undefined, { ref: false });
  return 'for a reason that only its parent knew';
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

/**
 * Flags of Node.js for a data plane, in a file that the entry point of the container reads too. Bodies and tensors lie outside
 * the heap, which itself stays small: left alone, V8 takes each 20 MB of them as a reason to look through all of it, five times
 * a second under load. It reads the size when it starts, neither later nor from NODE_OPTIONS. What outlives a request is little:
 * collecting it with the help of other threads takes longer than without, and where processors are short requests wait until the
 * last helper had one. For what V8 does beside (it compiles and sweeps) one thread is enough; several would take all processors
 * at a time.
 */
const readFlags = (): readonly string[] =>
  readFileSync(packagePath('bin', 'data-plane-flags'), 'utf8').trim().split(/\s+/);

async function start(
  options: DataPlaneOptions,
  token: string,
): Promise<{
  readonly pid: number;
  readonly startTime: string;
  readonly url: string;
  readonly grpcAddress?: string;
  readonly ended: Promise<string>;
}> {
  mkdirSync(options.folder, { recursive: true });
  const log = openSync(join(options.folder, 'stderr.log'), 'a');
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      ...readFlags(),
      program,
      '--control-url',
      options.controlUrl,
      '--home',
      options.folder,
      '--host',
      options.host,
      '--port',
      String(options.port),
      '--grpc-port',
      String(options.grpcPort),
      '--grpc-max-message-bytes',
      String(options.grpcMaxMessageBytes),
      '--log-file',
      join(options.folder, 'serving.log'),
      '--max-body-bytes',
      String(options.maxBodyBytes),
      '--python-folder',
      options.pythonFolder,
      ...(options.python === undefined ? [] : ['--python', options.python]),
      ...Object.entries(options.further).flatMap(([flag, value]) => [`--${flag}`, String(value)]),
      ...(options.allowedHosts.length > 0 ? ['--allowed-hosts', options.allowedHosts.join(',')] : []),
    ],
    {
      detached: true,
      stdio: ['ignore', 'pipe', log],
      env: { ...options.environment, ...options.otel, TIDEMILL_POOL_TOKEN: token },
    },
  );
  closeSync(log);
  const { pid, stdout } = child;
  const ended = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal === null ? `with exit code ${code}` : `by ${signal}`)),
  );
  const startTime = pid === undefined ? undefined : startTimeOf(pid);
  const line = await new Promise<string | undefined>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve(undefined));
    if (stdout !== null) createInterface({ input: stdout }).once('line', resolve);
  });
  stdout?.destroy();
  child.unref();
  if (line === undefined || pid === undefined || startTime === undefined)
    throw startErrors.DATA_PLANE_NOT_STARTED(
      options.host,
      options.port,
      options.grpcPort,
      join(options.folder, 'stderr.log'),
    );
  const { url, grpcAddress } = JSON.parse(line) as { readonly url: string; readonly grpcAddress?: string };
  return { pid, startTime, url, ...(grpcAddress !== undefined && { grpcAddress }), ended };
}
