import type { FastifyInstance } from 'fastify';
import type { PipelineSpec } from '#contracts/pipelines';
import { isAppError } from '#platform/errors';
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
        subjects: ['pipeline-step:'],
        async handle(unit, event) {
          if (event.type !== 'job.finished') return;
          await service.jobFinished(unit, await deps.jobs.end(unit, event.data.jobId));
        },
        async giveUp(unit, event, error) {
          if (event.type === 'job.finished') await service.refuseJob(unit, event.data, reasonOf(error));
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
        async giveUp(unit, event, error) {
          if (event.type === 'gate.decided') await service.refuseAnswer(unit, event.data.promotionId, reasonOf(error));
        },
      },
    ],
    routes: (app) => registerPipelineRoutes(app, { ...deps, pipelines: service }),
  };
}

/** What is no error of ours says nothing to people: the log has it. */
function reasonOf(error: unknown): string {
  return isAppError(error) ? error.message : 'the server made a mistake, which its log tells';
}
