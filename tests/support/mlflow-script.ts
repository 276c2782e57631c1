import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { scrubEnvironment } from '../../src/platform/processes.ts';
import { createPythonEnvironments, type PythonEnvironment } from '../../src/platform/python-environments.ts';

const run = promisify(execFile);

/** Building an environment downloads some hundred megabytes the first time; it is kept between runs. */
export const pythonSetUpMs = 300_000;

/** The example's requirements: one environment for every test that runs a user's Python. */
export const exampleRequirements = 'examples/flights/requirements.txt';

/** Those of a version of MLflow's client. */
export const clientRequirements = (version: string): string => `tests/python/requirements/mlflow-${version}.txt`;

const environments = createPythonEnvironments({
  folder: resolve('node_modules/.cache/tidemill-python'),
  env: scrubEnvironment(process.env),
});

export const ensurePython = (requirementsPath: string): Promise<PythonEnvironment> =>
  environments.ensureEnvironment({ requirementsPath });

/**
 * Variables under which MLflow's client speaks to a server and gives up at the first failure. What is compiled lies where
 * processes of models look for it too: a first import of MLflow compiles for four seconds.
 */
export const mlflowVariables = (pythonPath: string, trackingUri: string): NodeJS.ProcessEnv => ({
  ...scrubEnvironment(process.env),
  MLFLOW_TRACKING_URI: trackingUri,
  MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
  GIT_PYTHON_REFRESH: 'quiet',
  PYTHONPYCACHEPREFIX: join(dirname(dirname(pythonPath)), 'pycache'),
});

/** What a script of tests/python prints last, as JSON. */
export async function runMlflowScript<Result = unknown>(
  pythonPath: string,
  script: string,
  options: {
    readonly trackingUri: string;
    readonly timeoutMs: number;
    readonly arguments?: readonly string[];
    readonly variables?: Readonly<Record<string, string>>;
    readonly maxBytes?: number;
  },
): Promise<Result> {
  const { stdout } = await run(pythonPath, [join('tests', 'python', script), ...(options.arguments ?? [])], {
    env: { ...mlflowVariables(pythonPath, options.trackingUri), ...options.variables },
    timeout: options.timeoutMs,
    ...(options.maxBytes !== undefined && { maxBuffer: options.maxBytes }),
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Result; // the script's own last line
}
