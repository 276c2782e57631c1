import type { FastifyInstance } from 'fastify';
import { formatReference } from '#contracts/references';
import type { Consumer } from '#platform/events';
import { createImportService } from './import-service.ts';
import { createModelService } from './model-service.ts';
import { findModelRow } from './model-store.ts';
import { createPromotionService, type PromotionService } from './promotion-service.ts';
import { findPromotion, isAliasGoverned, listPromotions } from './promotion-store.ts';
import type { RegistryApi } from './registry-api.ts';
import type { RegistryDeps } from './registry-deps.ts';
import { findAlias, findModel, findVersion, listModels, listVersions } from './registry-read-model.ts';
import { registerRegistryRoutes } from './registry-routes.ts';
import { latestVersions, searchModels, searchVersions } from './registry-search-read-model.ts';
import { registerTransferRoutes } from './transfer-routes.ts';
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
  const rejectOpen: PromotionService['rejectOpen'] = (...input) => promotions.rejectOpen(...input);
  const api: RegistryApi = {
    ...createModelService(deps, rejectOpen),
    ...createVersionService(deps, rejectOpen),
    proposeVersion: (unit, proposal) => promotions.proposeVersion(unit, proposal),
    decideCheck: (unit, decision) => promotions.decideCheck(unit, decision),
    deferCheck: (unit, deferral) => promotions.deferCheck(unit, deferral),
    revertPromotion: (unit, input) => promotions.revertPromotion(unit, input),
    model: findModel,
    models: listModels,
    version: findVersion,
    versions: listVersions,
    searchModels,
    searchVersions,
    latestVersions,
    alias: findAlias,
    async isGoverned(reader, project, model, alias) {
      const row = await findModelRow(reader, project, model);
      return row !== undefined && isAliasGoverned(reader, row.model_key, alias);
    },
    promotion: findPromotion,
    promotions: listPromotions,
  };
  // A walk from `model:x@champion` or `model:x` begins at the version that it names now.
  deps.lineage.registerAlias('model', async (reader, project, name, at) => {
    const version = await findVersion(reader, project, name, at ?? 'latest');
    return version && formatReference('model', name, version.version);
  });
  return {
    id: 'registry',
    api,
    routes(app) {
      registerRegistryRoutes(app, deps.database, api);
      registerTransferRoutes(app, deps.database, createImportService(deps));
    },
    consumers: [
      {
        name: 'registry.approvals',
        types: ['approval.decided'],
        async handle(unit, event) {
          if (event.type !== 'approval.decided') return;
          const { approvalId, granted, reason } = event.data;
          await promotions.decideApproval(unit, { approvalId, granted, reason, decidedBy: event.actor });
        },
      },
    ],
  };
}
