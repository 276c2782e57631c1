import type { FastifyInstance } from 'fastify';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { registerLineageRoutes } from './lineage-routes.ts';
import { createLineageService, type LineageApi } from './lineage-service.ts';

export interface LineageModule {
  readonly id: 'lineage';
  readonly api: LineageApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createLineageModule({ database }: { readonly database: Database }): LineageModule {
  const api = createLineageService();
  return { id: 'lineage', api, consumers: [], routes: (app) => registerLineageRoutes(app, { database, api }) };
}
