import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Logger } from '#platform/log';
import type { LoadedModel, ModelFiles, Runtime } from '../runtime.ts';
import { runtimeErrors } from '../runtime-errors.ts';
import { checkOutputs } from './check-outputs.ts';
import { requestsInFlight, startWorkerPool, type WorkerPool } from './worker-pool.ts';
import { WorkerProcess, type WorkerProgram } from './worker-process.ts';

export interface WorkerRuntimeOptions {
  /** Where processes have a folder for what they write, removed with their model. Emptied first: it belongs to one runtime. */
  readonly folder: string;
  readonly logger: Logger;
}

const defaultLoadTimeoutMs = 120_000;

/**
 * A runtime whose models run in processes of their own. `toProgram` says how such a process is started; it has a home of
 * its own and sees nothing of our environment but what it is given there.
 */
export function createWorkerRuntime(
  kind: string,
  options: WorkerRuntimeOptions,
  toProgram: (files: ModelFiles, home: string) => Promise<WorkerProgram>,
): Runtime {
  const folder = join(options.folder, kind);
  const models = new Set<LoadedModel>();
  const emptied = rm(folder, { recursive: true, force: true }).then(() => mkdir(folder, { recursive: true }));
  emptied.catch(() => undefined); // told by the first load

  async function startPool(files: ModelFiles, home: string): Promise<WorkerPool> {
    const { mainPath, signature, workers = {} } = files;
    const program = await toProgram(files, home);
    const load = {
      folder: dirname(mainPath),
      main: basename(mainPath),
      ...(signature !== undefined && { signature }),
      ...(workers.maxMemoryBytes !== undefined && { maxMemoryBytes: workers.maxMemoryBytes }),
    };
    const logger = options.logger.child({ model: mainPath });
    return startWorkerPool({
      limits: workers,
      logger,
      start(spent) {
        const worker = new WorkerProcess(program, load, workers.loadTimeoutMs ?? defaultLoadTimeoutMs, {
          line: (text) => logger.info({ pid: worker.pid }, text),
          trace: (trace) => logger.warn({ pid: worker.pid, trace }, 'a model raised'),
          spent: () => spent(worker),
        });
        return worker;
      },
    });
  }

  return {
    kind,
    async load(files) {
      await emptied;
      const home = await mkdtemp(join(folder, 'home-'));
      const removeHome = () => rm(home, { recursive: true, force: true });
      const pool = await startPool(files, home).catch(async (error: unknown) => {
        await removeHome();
        throw error;
      });
      const { signature, about, takesParameters } = pool.loaded;
      options.logger.info({ model: files.mainPath, about }, 'a model is loaded');
      const outputNames = signature.outputs.map(({ name }) => name);
      let isLoaded = true;
      const model: LoadedModel = {
        signature,
        parallelism: requestsInFlight * (files.workers?.count ?? 1),
        takesParameters,
        get memoryBytes() {
          return pool.memoryBytes;
        },
        async predict(inputs, outputs = outputNames, parameters) {
          if (!isLoaded) throw runtimeErrors.MODEL_UNLOADED();
          return checkOutputs(signature, outputs, await pool.predict({ inputs, outputs, parameters }));
        },
        async unload() {
          if (!isLoaded) return;
          isLoaded = false;
          models.delete(model);
          await pool.stop();
          await removeHome();
        },
      };
      models.add(model);
      return model;
    },
    async close() {
      await Promise.all([...models].map((model) => model.unload()));
    },
  };
}
