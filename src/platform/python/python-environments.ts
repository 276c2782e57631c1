import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, isAppError } from '../errors.ts';
import { acquireLockFile, type LockFile } from '../lock-file.ts';
import { runCommand } from '../processes/run-command.ts';
import { findPython, type PythonInterpreter } from './find-python.ts';
import { findUv } from './find-uv.ts';
import { pythonErrors } from './python-errors.ts';

export type EnvironmentRequest = ({ readonly requirementsText: string } | { readonly requirementsPath: string }) & {
  /** A program or path; default the options'. */
  readonly python?: string;
  /** Hears what happens, line by line, while the environment is built. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
};

export interface PythonEnvironment {
  /** SHA-256 over requirements, Python version and platform. */
  readonly digest: string;
  /** The environment's interpreter. */
  readonly pythonPath: string;
  /** To be put in front of PATH. */
  readonly binPath: string;
  readonly pythonVersion: string;
}

export interface PythonEnvironments {
  /** Builds the environment once, whoever asks and however often. PYTHON_NOT_FOUND, PYTHON_TOO_OLD, PYTHON_ENVIRONMENT_FAILED. */
  ensureEnvironment(request: EnvironmentRequest): Promise<PythonEnvironment>;
}

export interface PythonEnvironmentsOptions {
  /** Tidemill's own folder for Python: uv, environments and the cache of wheels lie in it, on one file system. */
  readonly folder: string;
  /** What uv and pip see: a scrubbed environment, with the user's index and proxy settings. */
  readonly env: Readonly<Record<string, string>>;
  readonly python?: string;
}

/**
 * An environment is built where it will stay: its scripts name their interpreter by its full path, so it could not be
 * renamed into place. `.ready`, written last, says that it is whole; what lacks it is removed and built anew. A lock
 * file a digest lets two processes build once; callers in one process share one build.
 */
export function createPythonEnvironments(options: PythonEnvironmentsOptions): PythonEnvironments {
  const { folder, env } = options;
  const building = new Map<string, Promise<PythonEnvironment>>();

  async function build(requirements: string, python: PythonInterpreter, digest: string, request: EnvironmentRequest) {
    const home = join(folder, 'environments', digest.slice(0, 16));
    const environment: PythonEnvironment = {
      digest,
      pythonPath: join(home, 'bin', 'python'),
      binPath: join(home, 'bin'),
      pythonVersion: python.version,
    };
    if (await isReady(home, digest)) return environment;
    await mkdir(join(folder, 'environments'), { recursive: true });
    const lock = await waitForLock(`${home}.lock`, request);
    try {
      if (await isReady(home, digest)) return environment; // the one that was waited for has built it
      await rm(home, { recursive: true, force: true });
      await install(home, requirements, python, request);
      await writeFile(join(home, '.ready'), digest);
      return environment;
    } finally {
      lock.release();
    }
  }

  async function install(home: string, requirements: string, python: PythonInterpreter, request: EnvironmentRequest) {
    const { onProgress, signal } = request;
    const hearing = {
      ...(onProgress !== undefined && { onLine: onProgress }),
      ...(signal !== undefined && { signal }),
    };
    const uvLock = await waitForLock(join(folder, 'uv.lock'), request);
    const uv = await findUv(python, { folder: join(folder, 'uv'), env, ...hearing }).finally(() => uvLock.release());
    const uvEnv = { ...env, UV_CACHE_DIR: join(folder, 'cache'), UV_PYTHON_DOWNLOADS: 'never', NO_COLOR: '1' };
    const steps = [
      {
        what: `making an environment with Python ${python.version}`,
        command: [uv, 'venv', '--python', python.path, home],
      },
      {
        what: 'installing the requirements',
        command: [uv, 'pip', 'install', '--python', join(home, 'bin', 'python'), '-r', join(home, 'requirements.txt')],
      },
    ] as const;
    for (const { what, command } of steps) {
      onProgress?.(what);
      const result = await runCommand(command, { env: uvEnv, timeoutMs: buildTimeoutMs, ...hearing });
      if (result.code !== 0) {
        const remedy = result.timedOut
          ? `it took more than ${buildTimeoutMs / 60_000} minutes`
          : 'correct the requirements file or the index settings and run again';
        throw pythonErrors.PYTHON_ENVIRONMENT_FAILED(what, result.tail.slice(-12), remedy);
      }
      if (what.startsWith('making')) await writeFile(join(home, 'requirements.txt'), requirements);
    }
  }

  return {
    async ensureEnvironment(request) {
      const given =
        'requirementsText' in request ? request.requirementsText : await readFile(request.requirementsPath, 'utf8');
      const requirements = normaliseRequirements(given);
      const wanted = request.python ?? options.python;
      const python = await findPython({ env, ...(wanted !== undefined && { python: wanted }) });
      const digest = digestOf(requirements, python);
      const underWay = building.get(digest);
      if (underWay !== undefined) return await underWay;
      const started = build(requirements, python, digest, request).finally(() => building.delete(digest));
      building.set(digest, started);
      return await started;
    },
  };
}

const buildTimeoutMs = 30 * 60_000;

/** Comments, blank lines and the ends of lines do not change what is installed. */
export function normaliseRequirements(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/(^|\s)#.*$/, '').trimEnd());
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function digestOf(requirements: string, python: PythonInterpreter): string {
  const parts = [requirements, python.version, python.platform, process.platform, process.arch];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

async function isReady(home: string, digest: string): Promise<boolean> {
  return (await readFile(join(home, '.ready'), 'utf8').catch(() => '')) === digest;
}

async function waitForLock(path: string, request: EnvironmentRequest): Promise<LockFile> {
  let told = false;
  for (;;) {
    request.signal?.throwIfAborted();
    try {
      return acquireLockFile(path, (holder) => new AppError('LOCK_HELD', 'conflict', holder));
    } catch (error) {
      if (!isAppError(error, 'LOCK_HELD')) throw error;
      if (!told) request.onProgress?.(`waiting for ${error.message}, which builds the same environment`);
      told = true;
      await delay(200);
    }
  }
}
