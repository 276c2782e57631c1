import type { FastifyInstance } from 'fastify';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { registerEvaluationRoutes } from './evaluation-routes.ts';
import { createEvaluationService, type EvaluationApi, type EvaluationDeps } from './evaluation-service.ts';

export interface EvaluationModule {
  readonly id: 'evaluation';
  readonly api: EvaluationApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createEvaluationModule(deps: EvaluationDeps & { readonly database: Database }): EvaluationModule {
  const service = createEvaluationService(deps);
  return {
    id: 'evaluation',
    api: service,
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
    ],
    routes: (app) => registerEvaluationRoutes(app, deps),
  };
}
