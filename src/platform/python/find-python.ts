import { isAppError } from '../errors.ts';
import { runCommand } from '../processes/run-command.ts';
import { pythonErrors } from './python-errors.ts';

const minimumPython = '3.11';

export interface PythonInterpreter {
  /** The interpreter's own path, links resolved by itself. */
  readonly path: string;
  /** `3.11.7`. */
  readonly version: string;
  /** What compiled packages depend on: `cpython-311-x86_64-linux-gnu`. */
  readonly platform: string;
}

export interface FindPythonOptions {
  /** A program or path to use; default: the first of python3, python, python3.13 … that is new enough. */
  readonly python?: string;
  readonly env: Readonly<Record<string, string>>;
}

const usualNames = ['python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11'];
const question =
  'import sys, sysconfig; print(sys.executable); print("%d.%d.%d" % sys.version_info[:3]); print(sysconfig.get_config_var("SOABI") or sysconfig.get_platform())';

/** The interpreter that environments are made from. PYTHON_NOT_FOUND, PYTHON_TOO_OLD. */
export async function findPython(options: FindPythonOptions): Promise<PythonInterpreter> {
  const names = options.python === undefined ? usualNames : [options.python];
  let tooOld: PythonInterpreter | undefined;
  for (const name of names) {
    const found = await ask(name, options.env);
    if (found === undefined) continue;
    if (isNewEnough(found.version)) return found;
    tooOld ??= found;
  }
  if (tooOld !== undefined) throw pythonErrors.PYTHON_TOO_OLD(tooOld.path, tooOld.version);
  throw pythonErrors.PYTHON_NOT_FOUND(names.join(', '));
}

async function ask(name: string, env: FindPythonOptions['env']): Promise<PythonInterpreter | undefined> {
  try {
    const { code, stdout } = await runCommand([name, '-I', '-c', question], { env, timeoutMs: 20_000 });
    const [path, version, platform] = stdout.split('\n');
    return code === 0 && path && version && platform ? { path, version, platform } : undefined;
  } catch (error) {
    if (isAppError(error, 'PROCESS_NOT_STARTED')) return undefined;
    throw error;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = minimumPython.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
