import { join } from 'node:path';
import type { Ids } from '#platform/ids';
import type { Logger } from '#platform/log';
import type { SklearnChecks } from '#runtimes/python/python-runtime';
import { createEndpointTable, type EndpointTable } from './endpoint-table.ts';
import type { FileStore } from './file-store.ts';
import { createInferenceCore, type InferenceCore } from './inference.ts';
import { openLastGood } from './last-good.ts';
import { loadRevision } from './live-revision.ts';
import { createModelMemory, type ModelMemory } from './model-memory.ts';
import { createRuntimeSet } from './runtime-set.ts';
import { createShadowQueue, type ShadowQueue } from './shadows.ts';
import type { Spool } from './spool.ts';

/** What answers predictions, whoever decides what is served and however it is asked. */
export interface ServingEngine {
  readonly table: EndpointTable;
  readonly core: InferenceCore;
  readonly memory: ModelMemory;
  readonly shadows: ShadowQueue;
  close(): Promise<void>;
}

export async function openServingEngine(options: {
  readonly home: string;
  readonly pool: string;
  readonly files: FileStore;
  readonly spool: Spool;
  readonly ids: Ids;
  /** What models may hold in memory together; undefined = no limit. */
  readonly memoryBytes: number | undefined;
  /** Where Python environments are kept, and the interpreter that makes them. */
  readonly pythonFolder: string | undefined;
  readonly python: string | undefined;
  readonly sklearnChecks?: SklearnChecks | undefined;
  /** Whether a graph's models may lie outside of its folder; default false. */
  readonly mayLeaveFolder?: boolean;
  readonly logger: Logger;
}): Promise<ServingEngine> {
  const { home, pool, files, spool, ids, logger } = options;
  const runtimes = createRuntimeSet({
    folder: join(home, 'workers'),
    pythonFolder: options.pythonFolder ?? join(home, 'python'),
    python: options.python,
    sklearnChecks: options.sklearnChecks,
    environment: process.env,
    mayLeaveFolder: options.mayLeaveFolder === true,
    logger,
  });
  const memory = createModelMemory({ budgetBytes: options.memoryBytes, logger });
  const lastGood = await openLastGood(join(home, 'last-good.json'), pool, logger);
  const table = createEndpointTable({
    files,
    logger,
    lastGood,
    load: async (spec, endpoint, record) =>
      loadRevision({ spec, endpoint, record, files, runtime: await runtimes.get(spec.runtime), memory, logger }),
  });
  const shadows = createShadowQueue({ spool, ids, logger });
  return {
    table,
    memory,
    shadows,
    core: createInferenceCore({ spool, shadows, ids }),
    async close() {
      memory.close();
      await table.close();
      await lastGood.close();
      await runtimes.close();
    },
  };
}
