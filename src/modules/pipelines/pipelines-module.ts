import type { FastifyInstance } from 'fastify';
import type { PipelineSpec } from '#contracts/pipelines';
import type { Clock } from '#platform/clock';
import { reasonOf } from '#platform/errors';
import type { Consumer, EventLog } from '#platform/events';
import type { Logger } from '#platform/log';
import type { ResourceKind } from '#platform/resource-kind';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesKind } from './pipelines-kind.ts';
import { registerPipelineRoutes } from './pipelines-routes.ts';
import { createPipelinesService, type PipelinesApi } from './pipelines-service.ts';
import { createStepDeadlines } from './step-deadlines.ts';

export interface PipelinesModule {
  readonly id: 'pipelines';
  readonly api: PipelinesApi;
  readonly kind: ResourceKind<PipelineSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createPipelinesModule(
  deps: PipelinesDeps & { readonly events: EventLog; readonly clock: Clock; readonly logger: Logger },
): PipelinesModule {
  const service = createPipelinesService(deps);
  const deadlines = createStepDeadlines({ ...deps, expire: (unit, due) => service.expire(unit, due) });
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
          // no effect when it was proposed by something else, or its run was cancelled
          await service.answerPromotion(unit, promotionId, { kind: 'succeeded', result: { model, version, verdict } });
        },
        async giveUp(unit, event, error) {
          if (event.type === 'gate.decided') await service.refuseAnswer(unit, event.data.promotionId, reasonOf(error));
        },
      },
      {
        name: 'pipelines.approvals',
        types: ['approval.decided'],
        subjects: ['pipeline-step:'],
        async handle(unit, event) {
          if (event.type === 'approval.decided') await service.decideApproval(unit, event.subject, event.data);
        },
        async giveUp(unit, event, error) {
          await service.refuseDecision(unit, event.subject, reasonOf(error));
        },
      },
    ],
    async start() {
      deadlines.start();
    },
    stop: () => deadlines.stop(),
    routes: (app) => registerPipelineRoutes(app, { ...deps, pipelines: service }),
  };
}
