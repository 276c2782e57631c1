import type { FastifyInstance } from 'fastify';
import type { FeatureViewSpec } from '#contracts/features';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import { featuresKind } from './features-kind.ts';
import { registerFeatureRoutes } from './features-routes.ts';
import { createFeaturesService, type FeaturesApi, type FeaturesDeps } from './features-service.ts';

export interface FeaturesModule {
  readonly id: 'features';
  readonly api: FeaturesApi;
  readonly kind: ResourceKind<FeatureViewSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createFeaturesModule(deps: FeaturesDeps): FeaturesModule {
  const api = createFeaturesService(deps);
  return {
    id: 'features',
    api,
    kind: featuresKind,
    consumers: [],
    routes: (app) => registerFeatureRoutes(app, { database: deps.database, features: api }),
  };
}
