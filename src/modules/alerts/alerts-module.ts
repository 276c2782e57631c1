import type { FastifyInstance } from 'fastify';
import type { LineageApi } from '#modules/lineage';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { registerAlertRoutes } from './alert-routes.ts';
import { type AlertsApi, createAlertService } from './alert-service.ts';
import { createParkedConsumerAlerts } from './parked-consumer-alerts.ts';

export interface AlertsDeps {
  readonly database: Database;
  readonly lineage: Pick<LineageApi, 'record'>;
}

export interface AlertsModule {
  readonly id: 'alerts';
  readonly api: AlertsApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createAlertsModule({ database, lineage }: AlertsDeps): AlertsModule {
  const api = createAlertService(lineage);
  return {
    id: 'alerts',
    api,
    consumers: [createParkedConsumerAlerts(api)],
    routes: (app) => registerAlertRoutes(app, { database, api }),
  };
}
