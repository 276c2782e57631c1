import type { FastifyInstance } from 'fastify';
import type { PipelineSpec } from '#contracts/pipelines';
import type { Consumer, EventLog } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesKind } from './pipelines-kind.ts';
import { registerPipelineRoutes } from './pipelines-routes.ts';
import { createPipelinesService, type PipelinesApi } from './pipelines-service.ts';
import { findStepByToken } from './pipelines-store.ts';

export interface PipelinesModule {
  readonly id: 'pipelines';
  readonly api: PipelinesApi;
  readonly kind: ResourceKind<PipelineSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createPipelinesModule(deps: PipelinesDeps & { readonly events: EventLog }): PipelinesModule {
  const service = createPipelinesService(deps);
  return {
    id: 'pipelines',
    api: service,
    kind: pipelinesKind,
    consumers: [
      {
        name: 'pipelines.jobs',
        types: ['job.finished'],
        async handle(unit, event) {
          if (event.type !== 'job.finished' || !event.data.owner.startsWith('pipeline-step:')) return;
          await service.jobFinished(unit, await deps.jobs.get(unit, event.data.jobId));
        },
      },
      {
        name: 'pipelines.gates',
        types: ['gate.decided'],
        async handle(unit, event) {
          if (event.type !== 'gate.decided') return;
          const { promotionId, model, version, verdict } = event.data;
          const waiting = await findStepByToken(unit, promotionId);
          if (waiting?.state !== 'waiting') return; // proposed by something else, or its run was cancelled
          await service.completeStep(unit, promotionId, { kind: 'succeeded', result: { model, version, verdict } });
        },
      },
    ],
    routes: (app) => registerPipelineRoutes(app, { ...deps, pipelines: service }),
  };
}
