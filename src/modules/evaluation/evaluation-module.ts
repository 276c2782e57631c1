import type { FastifyInstance } from 'fastify';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import {
  createEvaluationDatasets,
  type EvaluationDatasetDeps,
  type EvaluationDatasetsApi,
} from './evaluation-dataset-service.ts';
import { registerEvaluationRoutes } from './evaluation-routes.ts';
import { createEvaluationService, type EvaluationApi, type EvaluationDeps } from './evaluation-service.ts';
import { forgetExperiment } from './purged-experiment-store.ts';
import { createScorers, type ScorersApi } from './scorer-service.ts';

export interface EvaluationModule {
  readonly id: 'evaluation';
  readonly api: EvaluationApi;
  readonly datasets: EvaluationDatasetsApi;
  readonly scorers: ScorersApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

/** Gates of promotions; and, for MLflow's clients, data sets to evaluate against and the scorers that they do it with. */
export function createEvaluationModule(
  deps: EvaluationDeps & EvaluationDatasetDeps & { readonly database: Database },
): EvaluationModule {
  const service = createEvaluationService(deps);
  return {
    id: 'evaluation',
    api: service,
    datasets: createEvaluationDatasets(deps),
    scorers: createScorers(deps),
    consumers: [
      {
        name: 'evaluation.jobs',
        types: ['job.finished'],
        subjects: ['promotion:'],
        async handle(unit, event) {
          if (event.type !== 'job.finished') return;
          const job = await deps.jobs.get(unit, event.data.jobId);
          if (job.tag === 'evaluation.judge') await service.jobFinished(unit, job);
        },
      },
      {
        name: 'evaluation.champions',
        types: ['promotion.reopened'],
        async handle(unit, event) {
          if (event.type !== 'promotion.reopened') return;
          await service.promotionReopened(unit, event.project, event.data.promotionId);
        },
      },
      {
        name: 'evaluation.purged-experiments',
        types: ['experiment.purged'],
        async handle(unit, event) {
          if (event.type !== 'experiment.purged') return;
          await forgetExperiment(unit, event.project, event.data.experimentId);
        },
      },
    ],
    routes: (app) => registerEvaluationRoutes(app, deps),
  };
}
