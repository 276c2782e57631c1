import type { SpecRevision } from '#contracts/deployment-spec';
import type { Logger } from '#platform/log';
import { scrubEnvironment } from '#platform/processes';
import { createOnnxThreadsRuntime } from '#runtimes/onnx-threads';
import type { SklearnChecks } from '#runtimes/python/python-runtime';
import type { Runtime } from '#runtimes/runtime';

/** The runtimes of this process, each made when the first model wants it. */
export interface RuntimeSet {
  get(kind: SpecRevision['runtime']): Promise<Runtime>;
  close(): Promise<void>;
}

export function createRuntimeSet(options: {
  /** Where processes that hold models have their homes. */
  readonly folder: string;
  /** Where Python environments and uv are kept. */
  readonly pythonFolder: string;
  readonly python: string | undefined;
  readonly sklearnChecks: SklearnChecks | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a graph's models may lie outside of its folder: where the folder is the caller's own. */
  readonly mayLeaveFolder: boolean;
  readonly logger: Logger;
}): RuntimeSet {
  const { folder, pythonFolder, python, sklearnChecks, mayLeaveFolder, logger } = options;
  const env = scrubEnvironment(options.environment);
  const made = new Map<SpecRevision['runtime'], Promise<Runtime>>();

  async function create(kind: SpecRevision['runtime']): Promise<Runtime> {
    if (kind === 'onnx') return createOnnxThreadsRuntime();
    if (kind === 'command') {
      const { createCommandRuntime } = await import('#runtimes/command/command-runtime');
      return createCommandRuntime({ folder, logger, path: env['PATH'] ?? '' });
    }
    if (kind === 'graph') {
      const { createGraphRuntime } = await import('#runtimes/graph/graph-runtime');
      return createGraphRuntime({ runtimeOf: get, mayLeaveFolder });
    }
    const [{ createPythonRuntime }, { createPythonEnvironments }] = await Promise.all([
      import('#runtimes/python/python-runtime'),
      import('#platform/python-environments'),
    ]);
    const interpreter = python === undefined ? {} : { python };
    const environments = createPythonEnvironments({ folder: pythonFolder, env, ...interpreter });
    return createPythonRuntime({ folder, logger, environments, env, sklearnChecks, ...interpreter });
  }

  function get(kind: SpecRevision['runtime']): Promise<Runtime> {
    const runtime = made.get(kind) ?? create(kind);
    made.set(kind, runtime);
    return runtime;
  }

  return {
    get,
    async close() {
      await made.get('graph')?.then((graph) => graph.close()); // before the runtimes of its models
      await Promise.all([...made.values()].map(async (runtime) => (await runtime).close()));
    },
  };
}
