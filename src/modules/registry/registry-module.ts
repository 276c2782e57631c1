import type { FastifyInstance } from 'fastify';
import type { Consumer } from '#platform/events';
import { createModelService } from './model-service.ts';
import { findModelRow } from './model-store.ts';
import { createPromotionService } from './promotion-service.ts';
import { findPromotion, isAliasGoverned, listPromotions } from './promotion-store.ts';
import type { RegistryApi } from './registry-api.ts';
import type { RegistryDeps } from './registry-deps.ts';
import { findAlias, findModel, findVersion, listModels, listVersions } from './registry-read-model.ts';
import { registerRegistryRoutes } from './registry-routes.ts';
import { createVersionService } from './version-service.ts';

export interface RegistryModule {
  readonly id: 'registry';
  readonly api: RegistryApi;
  routes(app: FastifyInstance): void;
  readonly consumers: readonly Consumer[];
}

/** Models, versions, aliases, stages and promotions with required checks. */
export function createRegistryModule(deps: RegistryDeps): RegistryModule {
  const promotions = createPromotionService(deps);
  const { proposeVersion, decideCheck, revertPromotion, rejectOpen } = promotions;
  const api: RegistryApi = {
    ...createModelService(deps, rejectOpen),
    ...createVersionService(deps, rejectOpen),
    proposeVersion,
    decideCheck,
    revertPromotion,
    model: findModel,
    models: listModels,
    version: findVersion,
    versions: listVersions,
    alias: findAlias,
    async isGoverned(reader, project, model, alias) {
      const row = await findModelRow(reader, project, model);
      return row !== undefined && isAliasGoverned(reader, row.model_key, alias);
    },
    promotion: findPromotion,
    promotions: listPromotions,
  };
  return {
    id: 'registry',
    api,
    routes: (app) => registerRegistryRoutes(app, deps.database, api),
    consumers: [
      {
        name: 'registry.approvals',
        types: ['approval.decided'],
        async handle(unit, event) {
          if (event.type !== 'approval.decided') return;
          await promotions.decideApproval(unit, event.data.approvalId, event.data.granted, event.data.reason);
        },
      },
    ],
  };
}
