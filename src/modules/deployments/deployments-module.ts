import type { FastifyInstance } from 'fastify';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import { registerDataPlaneRoutes } from './data-plane-routes.ts';
import type { DeploymentsDeps } from './deployments-deps.ts';
import { createDeploymentsKind } from './deployments-kind.ts';
import { registerDeploymentRoutes } from './deployments-routes.ts';
import { createDeploymentsService, type DeploymentsApi } from './deployments-service.ts';
import { createLiveness } from './live-replicas.ts';
import { listPoolNames } from './pool-store.ts';
import { publishAuth } from './publication.ts';
import { createReportService } from './report-service.ts';

export interface DeploymentsModule {
  readonly id: 'deployments';
  readonly api: DeploymentsApi;
  readonly kind: ResourceKind<DeploymentSpecDocument>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  /** Tells the pools when the server asks for tokens now and did not before, or no longer does. */
  start(): Promise<void>;
}

/** Endpoints, their revisions and traffic, what their pools are told and what replicas report. */
export function createDeploymentsModule(deps: DeploymentsDeps): DeploymentsModule {
  const liveness = createLiveness(deps.clock);
  const reports = createReportService({ predictions: deps.predictions, liveness });
  const service = createDeploymentsService({ ...deps, reports, liveness });
  return {
    id: 'deployments',
    api: service,
    kind: createDeploymentsKind(service),
    consumers: [
      {
        name: 'deployments.shadows',
        types: ['model.version.proposed', 'registry.alias.moved'],
        async handle(unit, event) {
          if (event.type !== 'model.version.proposed' && event.type !== 'registry.alias.moved') return;
          await service.resolveShadows(unit, event.project, event.data.model);
        },
      },
      {
        name: 'deployments.access',
        types: ['token.issued', 'token.revoked', 'role.changed', 'user.disabled'],
        from: 'now',
        async handle(unit, event) {
          const isPersonal = event.type === 'role.changed' || event.type === 'user.disabled';
          const ofUser = 'kind' in event.data && event.data.kind === 'user';
          if (isPersonal || ofUser) await service.republish(unit, await listPoolNames(unit));
        },
      },
    ],
    routes: (app) => {
      registerDeploymentRoutes(app, { ...deps, deployments: service, liveness });
      registerDataPlaneRoutes(app, { ...deps, deployments: service, reports });
    },
    async start() {
      await deps.database.write({ actor: 'system:deployments' }, (unit) => publishAuth(unit, deps));
    },
  };
}
