import type { FastifyInstance } from 'fastify';
import type { DatasetSpec } from '#contracts/datasets';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import type { DatasetsDeps } from './datasets-deps.ts';
import { datasetsKind } from './datasets-kind.ts';
import { registerDatasetRoutes } from './datasets-routes.ts';
import { createDatasetsService, type DatasetsApi } from './datasets-service.ts';
import { findDataset } from './datasets-store.ts';
import { registerQueryRoutes } from './query-routes.ts';

export interface DatasetsModule {
  readonly id: 'datasets';
  readonly api: DatasetsApi;
  readonly kind: ResourceKind<DatasetSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createDatasetsModule(deps: DatasetsDeps): DatasetsModule {
  const service = createDatasetsService(deps);
  // a walk that begins at a bare name begins at the current version
  deps.lineage.registerAlias('dataset', async (reader, project, name, at) => {
    if (at !== undefined) return undefined;
    const found = await findDataset(reader, project, name);
    return found === undefined || found.currentVersion === 0 ? undefined : `dataset:${name}@${found.currentVersion}`;
  });
  return {
    id: 'datasets',
    api: service,
    kind: datasetsKind,
    consumers: [
      {
        name: 'datasets.jobs',
        types: ['job.finished'],
        subjects: ['dataset:'],
        async handle(unit, event) {
          if (event.type !== 'job.finished') return;
          await service.jobFinished(unit, await deps.jobs.get(unit, event.data.jobId));
        },
      },
    ],
    routes(app) {
      registerDatasetRoutes(app, { ...deps, datasets: service });
      registerQueryRoutes(app, { ...deps, datasets: service });
    },
  };
}
