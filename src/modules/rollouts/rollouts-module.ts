import type { FastifyInstance } from 'fastify';
import { parseReference } from '#contracts/references';
import type { Consumer } from '#platform/events';
import { createDeploySteps } from './deploy-steps.ts';
import type { RolloutsDeps } from './rollouts-deps.ts';
import { registerRolloutRoutes } from './rollouts-routes.ts';
import { createRolloutsService, type RolloutsApi } from './rollouts-service.ts';

export interface RolloutsModule {
  readonly id: 'rollouts';
  readonly api: RolloutsApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

/** Canary rollouts: every change of weights. */
export function createRolloutsModule(deps: RolloutsDeps): RolloutsModule {
  const service = createRolloutsService(deps);
  deps.deployments.observeReports((unit, { project, deployment, ...moment }) =>
    service.evaluate(unit, project, deployment, moment),
  );
  return {
    id: 'rollouts',
    api: service,
    consumers: [
      {
        name: 'rollouts.follow',
        types: ['registry.alias.moved', 'model.version.proposed', 'deployment.changed'],
        async handle(unit, event) {
          if (event.type === 'deployment.changed')
            return service.follow(unit, event.project, event.data.deployment, 'changed');
          if (event.type !== 'registry.alias.moved' && event.type !== 'model.version.proposed') return;
          const { model } = event.data;
          const at = event.type === 'registry.alias.moved' ? event.data.alias : String(event.data.version);
          const takenBack =
            event.type === 'registry.alias.moved' && event.data.reason === 'rolled-back' ? event.data.from : undefined;
          for (const { name, spec } of await deps.deployments.following(unit, event.project, model)) {
            if (parseReference(spec.model)?.at !== at) continue;
            if (takenBack === undefined) await service.follow(unit, event.project, name, 'asked');
            else await service.returnFrom(unit, event.project, name, { model, version: takenBack });
          }
        },
      },
      createDeploySteps(deps, service),
    ],
    routes: (app) => registerRolloutRoutes(app, { ...deps, rollouts: service }),
  };
}
