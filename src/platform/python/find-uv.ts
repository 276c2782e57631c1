import { access, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAppError } from '../errors.ts';
import { runCommand } from '../processes/run-command.ts';
import type { PythonInterpreter } from './find-python.ts';
import { pythonErrors } from './python-errors.ts';

/** The version that is installed where none is on the PATH; raise it together with a run of the environment tests. */
const pinnedUv = '0.13.8';

export interface UvSource {
  /** Where Tidemill keeps its own uv: a small Python environment that only pip has written. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** uv from the PATH, else from Tidemill's own folder, installed there from PyPI when it is not there yet. */
export async function findUv(python: PythonInterpreter, source: UvSource): Promise<string> {
  if (await runs('uv', source)) return 'uv';
  const home = join(source.folder, pinnedUv);
  const own = join(home, 'bin', 'uv');
  if (await isThere(own)) return own;
  source.onLine?.(`installing uv ${pinnedUv}`);
  // uv is one binary that does not know where it lies, so this environment may be renamed when it is whole
  const building = `${home}.building`;
  await rm(building, { recursive: true, force: true });
  await step(
    [python.path, '-m', 'venv', building],
    'making a Python environment for uv',
    'the Python installation lacks its venv module or pip ("apt install python3-venv" on Debian and Ubuntu)',
    source,
  );
  const pip = [join(building, 'bin', 'python'), '-m', 'pip', 'install', '--no-input', `uv==${pinnedUv}`] as const;
  await step(
    pip,
    'installing uv',
    'check the network and pip’s index settings, or put uv on the PATH yourself',
    source,
  );
  await rm(home, { recursive: true, force: true });
  await rename(building, home);
  return own;
}

async function step(command: readonly [string, ...string[]], what: string, remedy: string, source: UvSource) {
  const result = await runCommand(command, source);
  if (result.code !== 0) throw pythonErrors.PYTHON_ENVIRONMENT_FAILED(what, result.tail.slice(-12), remedy);
}

async function runs(program: string, { env }: UvSource): Promise<boolean> {
  try {
    return (await runCommand([program, '--version'], { env, timeoutMs: 20_000 })).code === 0;
  } catch (error) {
    if (isAppError(error, 'PROCESS_NOT_STARTED')) return false;
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
