import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '#platform/log';
import { packagePath } from '#platform/package-path';
import { findPython, type PythonEnvironment, type PythonEnvironments } from '#platform/python-environments';
import { quietLibraries } from '#platform/quiet-libraries';
import type { Runtime } from '../runtime.ts';
import { createWorkerRuntime, type WorkerRuntimeOptions } from '../workers/worker-runtime.ts';
import { type DeclaredEnvironment, explainFailure, readDeclaredEnvironment } from './model-environment.ts';

export interface PythonRuntimeOptions extends WorkerRuntimeOptions {
  readonly environments: PythonEnvironments;
  /** Where Python is looked for, and what a model sees of the machine's graphics cards. */
  readonly env: Readonly<Record<string, string>>;
  /** The interpreter for models that name none; default: the first on the PATH that is new enough. */
  readonly python?: string;
  readonly sklearnChecks?: SklearnChecks | undefined;
}

/** `quick` passes by the checks of scikit-learn for what is plainly in order (ADR 0031), `full` leaves scikit-learn as it is. */
export type SklearnChecks = 'quick' | 'full';

/** The program that holds a model: python/tidemill_worker. */
const workerFolder = packagePath('python');
/** What a model without requirements of its own runs in. */
export const defaultRequirements = packagePath('python', 'requirements', 'default.txt');

/** Seen by a model beside its home: where libraries and graphics cards of this machine are. */
const passedOn = ['LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'];

/**
 * Models in Python (MLflow, scikit-learn, XGBoost, LightGBM, PyTorch, a file `model.py`), each in processes of its own, in
 * the environment that it declares. A pickle runs the code that it holds: it is read there and nowhere else, by a process
 * that has no token, no key and no variable of ours.
 */
export function createPythonRuntime(options: PythonRuntimeOptions): Runtime {
  const { logger } = options;

  return createWorkerRuntime('python', options, async ({ mainPath }, home) => {
    const folder = dirname(mainPath);
    const environment = await ensureEnvironment(options, await readDeclaredEnvironment(folder), logger);
    const { pythonPath, binPath } = environment;
    const base = dirname(binPath);
    return {
      // isolated from PYTHON* variables and the user's packages; what is compiled is kept with the environment
      command: [pythonPath, '-I', '-u', '-X', `pycache_prefix=${join(base, 'pycache')}`, workerFolder],
      cwd: home,
      env: {
        PATH: `${binPath}:/usr/local/bin:/usr/bin:/bin`,
        HOME: home,
        TMPDIR: home,
        LANG: 'C.UTF-8',
        TIDEMILL_WORKER_FD: '3',
        ...oneThread,
        ...quietLibraries,
        GIT_PYTHON_REFRESH: 'quiet',
        ...(options.sklearnChecks === 'full' && { TIDEMILL_SKLEARN_CHECKS: 'full' }),
        ...Object.fromEntries(Object.entries(options.env).filter(([name]) => passedOn.includes(name))),
      },
    };
  });
}

/** Processes, not threads, share the cores: a pool of threads in each library would only wait for one another. */
const oneThread = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1', NUMEXPR_NUM_THREADS: '1' };

async function ensureEnvironment(
  options: PythonRuntimeOptions,
  declared: DeclaredEnvironment | undefined,
  logger: Logger,
): Promise<PythonEnvironment> {
  const wanted = declared ?? {
    from: 'its default',
    requirementsText: await readFile(defaultRequirements, 'utf8'),
    python: undefined,
  };
  try {
    const python = await choosePython(options, wanted.python, logger);
    return await options.environments.ensureEnvironment({
      requirementsText: wanted.requirementsText,
      onProgress: (line) => logger[isOfOnePackage.test(line) ? 'debug' : 'info']({ from: wanted.from }, line),
      ...(python !== undefined && { python }),
    });
  } catch (error) {
    throw explainFailure(wanted, error);
  }
}

/** What uv says of each package: a model of MLflow has a hundred of them. */
const isOfOnePackage = /^\s*(?:[-+~] \S+==|(?:Download(?:ed|ing)|Building|Built) \S+)/;

/** The interpreter of the version that the model was made with, when this machine has it; else the usual one. */
async function choosePython(
  { python, env }: PythonRuntimeOptions,
  version: string | undefined,
  logger: Logger,
): Promise<string | undefined> {
  if (version === undefined) return python;
  const usual = await findPython({ env, ...(python !== undefined && { python }) });
  if (usual.version.startsWith(`${version}.`)) return python;
  try {
    return (await findPython({ env, python: `python${version}` })).path;
  } catch {
    logger.warn(
      { wanted: version, used: usual.version },
      `a model was made with Python ${version}, which is not on the PATH: it runs with ${usual.version}`,
    );
    return python;
  }
}
