import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { RunningServer } from '#contracts/running-server';
import { openBlobStore } from '#platform/blobs';
import { type Config, type ConfigSources, loadConfig } from '#platform/config';
import { isAppError } from '#platform/errors';
import { scrubEnvironment } from '#platform/processes';
import { findPython } from '#platform/python-environments';
import { blobPlace } from './platform.ts';
import { whyUnwritable } from './start-errors.ts';

export interface Finding {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** One sentence: what was found, and how to mend it when it is not right. */
  readonly message: string;
}

export interface DiagnosisOptions extends ConfigSources {
  /** The server that runs from this home, whose ports are taken by right. */
  readonly running?: RunningServer;
}

/** Everything that Tidemill needs of a machine; `doctor` shows all of it, `up` and `demo` what they are about to use. */
export async function diagnose(options: DiagnosisOptions): Promise<readonly Finding[]> {
  let config: Config;
  try {
    config = loadConfig(options);
  } catch (error) {
    if (!isAppError(error)) throw error;
    return [checkNode(process.version), { name: 'configuration', state: 'failed', message: error.message }];
  }
  const { environment = {} } = options;
  return [
    checkNode(process.version),
    ...config.warnings.map((message): Finding => ({ name: 'configuration', state: 'warning', message })),
    ...(await Promise.all([
      checkPython(config, environment),
      checkHome(config.home),
      ...(config.blobs.startsWith('s3://') ? [checkBlobs(config, environment)] : []),
      checkDisk(config.home),
      ...checkedPorts(config).map(({ name, port }) => checkPort(name, config.host, port, options.running)),
      ...nativeModules.map(checkNativeModule),
    ])),
  ];
}

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const fine = major > 20 || (major === 20 && minor >= 19);
  return fine
    ? { name: 'Node.js', state: 'ok', message: version }
    : { name: 'Node.js', state: 'failed', message: `${version} is too old: install Node.js 20.19 or newer` };
}

/** Python is needed by steps written in it, so by the demo; the server runs without. */
export async function checkPython(config: Config, environment: ConfigSources['environment'] = {}): Promise<Finding> {
  const name = 'Python';
  try {
    const env = scrubEnvironment(environment);
    const { path, version } = await findPython({ env, ...(config.python !== undefined && { python: config.python }) });
    return { name, state: 'ok', message: `${version} at ${path}` };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { name, state: 'failed', message: error.message };
  }
}

export async function checkHome(home: string): Promise<Finding> {
  const name = 'home folder';
  const probe = join(home, `.doctor-${process.pid}`);
  try {
    const existed = await isThere(home);
    const made = await mkdir(home, { recursive: true });
    await writeFile(probe, '');
    await rm(probe);
    if (!existed && made !== undefined) await rm(made, { recursive: true });
    return { name, state: 'ok', message: `${home} can be written` };
  } catch (error) {
    const reason = error instanceof Error ? (whyUnwritable(error) ?? error.message) : String(error);
    return {
      name,
      state: 'failed',
      message: `${home} cannot be written (${reason}): correct its owner and mode, or choose another with --home`,
    };
  }
}

/** Tries the bucket as a start does. */
async function checkBlobs(config: Config, environment: ConfigSources['environment'] = {}): Promise<Finding> {
  const name = 'blobs';
  try {
    await openBlobStore(blobPlace(config, environment));
    return { name, state: 'ok', message: `${config.blobs} can be written` };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { name, state: 'failed', message: error.message };
  }
}

const neededMb = 1_000;
const comfortableMb = 3_000;

export async function checkDisk(home: string): Promise<Finding> {
  const name = 'disk';
  let folder = home;
  while (!(await isThere(folder))) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  const freeMb = Math.floor((bavail * bsize) / 1e6);
  const free = `${(freeMb / 1_000).toFixed(1)} GB free for ${home}`;
  if (freeMb < neededMb)
    return {
      name,
      state: 'failed',
      message: `${free}, at least 1 GB is needed: free space or choose another folder with --home`,
    };
  if (freeMb < comfortableMb)
    return { name, state: 'warning', message: `${free}: a Python environment and data of its size take 3 GB soon` };
  return { name, state: 'ok', message: free };
}

function checkedPorts(config: Config): readonly { name: string; port: number }[] {
  return [
    { name: 'port', port: config.port },
    { name: 'serving port', port: config.servingPort },
    { name: 'gRPC port', port: config.grpcPort === 'off' ? 0 : config.grpcPort },
  ].filter(({ port }) => port !== 0);
}

/** Listening is the only sure way to know whether one may. */
export async function checkPort(name: string, host: string, port: number, running?: RunningServer): Promise<Finding> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
  if (error === undefined) return { name, state: 'ok', message: `${port} is free` };
  const grpcUrl = running?.grpcAddress === undefined ? undefined : `http://${running.grpcAddress}`;
  const ours = [running?.url, running?.servingUrl, grpcUrl].some(
    (url) => url !== undefined && new URL(url).port === String(port),
  );
  if (ours) return { name, state: 'ok', message: `${port} is used by the server that runs from this home` };
  const flag = `--${name.toLowerCase().replace(' ', '-')}`;
  const remedy = `choose another with ${flag}`;
  if (error.code === 'EADDRINUSE')
    return { name, state: 'failed', message: `${port} is in use by another program: stop it or ${remedy}` };
  return {
    name,
    state: 'failed',
    message: `${host}:${port} cannot be listened on (${error.code ?? error.message}): ${remedy}`,
  };
}

const nativeModules = [
  { name: 'better-sqlite3', does: 'the database', program: "new (require('better-sqlite3'))(':memory:').close()" },
  { name: 'DuckDB', does: 'tables', program: "require('@duckdb/node-api').version()" },
  { name: 'onnxruntime', does: 'predictions', program: "require('onnxruntime-node').InferenceSession.create" },
] as const;

/** In a process of its own: a library that does not fit the system may end the one that loads it. */
async function checkNativeModule(module: (typeof nativeModules)[number]): Promise<Finding> {
  const code = await new Promise<number | null>((resolve, reject) => {
    const program = `const require = process.getBuiltinModule('node:module').createRequire(${JSON.stringify(import.meta.url)}); ${module.program}`;
    const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' }; // it looks, and reports to nobody
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore', env });
    child.once('error', reject);
    child.once('exit', resolve);
  });
  return code === 0
    ? { name: module.name, state: 'ok', message: `loads (${module.does})` }
    : {
        name: module.name,
        state: 'failed',
        message: `does not load, and ${module.does} need it: run "npm ci" again on this machine`,
      };
}

async function isThere(path: string): Promise<boolean> {
  return await access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
