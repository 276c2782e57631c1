import type { FastifyInstance } from 'fastify';
import type { Consumer } from '#platform/events';
import { createArtifactService } from './artifact-service.ts';
import { createExperimentService } from './experiment-service.ts';
import { createLoggedModelService } from './logged-model-service.ts';
import { createLoggingService } from './logging-service.ts';
import { createRunService } from './run-service.ts';
import { searchExperiments, searchLoggedModels, searchRuns } from './search-read-model.ts';
import type { TrackingApi } from './tracking-api.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { registerTrackingRoutes } from './tracking-routes.ts';

export interface TrackingModule {
  readonly id: 'tracking';
  readonly api: TrackingApi;
  routes(app: FastifyInstance): void;
  readonly consumers: readonly Consumer[];
  start(): Promise<void>;
}

/** Experiments, runs, metrics, logged models and their artifact trees. */
export function createTrackingModule(deps: TrackingDeps): TrackingModule {
  const experiments = createExperimentService();
  const api: TrackingApi = {
    ...experiments,
    ...createRunService({
      ...deps,
      createExperiment: (unit, input) => experiments.createExperiment(unit, input),
    }),
    ...createLoggingService(deps),
    ...createLoggedModelService(deps),
    ...createArtifactService(deps),
    searchRuns,
    searchExperiments,
    searchLoggedModels,
  };
  return {
    id: 'tracking',
    api,
    routes: (app) => registerTrackingRoutes(app, deps.database, api),
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
    },
  };
}
