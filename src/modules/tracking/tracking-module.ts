import type { FastifyInstance } from 'fastify';
import type { Consumer } from '#platform/events';
import { createArtifactService } from './artifact-service.ts';
import { createBatchOrdering } from './batch-ordering.ts';
import { commonKeys } from './common-keys-read-model.ts';
import { createExperimentDeletion } from './experiment-deletion.ts';
import { createExperimentService } from './experiment-service.ts';
import { createHistoryService } from './history-service.ts';
import { createImportService } from './import-service.ts';
import { createLoggedModelService } from './logged-model-service.ts';
import { createLoggingService } from './logging-service.ts';
import { createPurgeLoop } from './purge/purge-loop.ts';
import { registerPurgeRoutes } from './purge/purge-routes.ts';
import { createPurgeService } from './purge/purge-service.ts';
import { createPurgeSteps } from './purge/purge-steps.ts';
import { createRunListing } from './run-listing.ts';
import { countRuns, searchRunDocuments, searchRuns } from './run-search-read-model.ts';
import { createRunService } from './run-service.ts';
import { datasetSummaries, searchExperiments, searchLoggedModels } from './search-read-model.ts';
import type { TrackingApi } from './tracking-api.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { registerTrackingRoutes } from './tracking-routes.ts';
import { registerTransferRoutes } from './transfer-routes.ts';

export interface TrackingModule {
  readonly id: 'tracking';
  readonly api: TrackingApi;
  routes(app: FastifyInstance): void;
  readonly consumers: readonly Consumer[];
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Lists the runs that are at rest; a started module does it by itself. */
  listRuns(): Promise<unknown>;
}

/** Experiments, runs, metrics, logged models and their artifact trees. */
export function createTrackingModule(deps: TrackingDeps): TrackingModule {
  const experiments = createExperimentService();
  const listing = createRunListing(deps);
  const ordering = createBatchOrdering(deps);
  const touched = (runId: string, listed?: boolean) => listing.touch(runId, listed);
  const runs = createRunService({
    ...deps,
    touched,
    createExperiment: (unit, input) => experiments.createExperiment(unit, input),
  });
  const models = createLoggedModelService(deps);
  const steps = createPurgeSteps(deps);
  const purges = createPurgeService({ ...experiments, ...runs, ...models, steps, wake: () => purgeLoop.wake() });
  const purgeLoop = createPurgeLoop({ ...deps, steps, service: purges, purgeAfterMs: deps.purgeAfterMs });
  const api: TrackingApi = {
    ...experiments,
    ...createExperimentDeletion({ ...deps, ...experiments }),
    ...runs,
    ...models,
    ...purges,
    ...createLoggingService({ ...deps, touched, ordering }),
    ...createHistoryService(),
    ...createArtifactService(deps),
    searchRuns,
    searchRunDocuments,
    countRuns,
    commonKeys,
    searchExperiments,
    searchLoggedModels,
    datasetSummaries,
  };
  return {
    id: 'tracking',
    api,
    routes(app) {
      registerTrackingRoutes(app, deps.database, api);
      registerPurgeRoutes(app, { ...deps, api });
      registerTransferRoutes(app, { database: deps.database, imports: createImportService(deps, api) });
    },
    consumers: [
      {
        name: 'tracking.default-experiment',
        types: ['project.created'],
        handle: (unit, event) => api.ensureDefaultExperiment(unit, event.project),
      },
    ],
    /** Projects from before this module, `default` among them, get their experiment 0. */
    async start() {
      await deps.database.write({ actor: 'system:tracking' }, async (unit) => {
        for (const { name } of await deps.projects.list(unit)) await api.ensureDefaultExperiment(unit, name);
      });
      purgeLoop.start();
      listing.start();
    },
    async stop() {
      await ordering.stop();
      await listing.stop();
      await purgeLoop.stop();
    },
    listRuns: () => listing.round(),
  };
}
