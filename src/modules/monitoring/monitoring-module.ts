import type { FastifyInstance } from 'fastify';
import type { MonitorSpec } from '#contracts/monitoring';
import type { Reader } from '#platform/database';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import { type ClosedWindow, findMonitor, listMonitors, listWindows, type Monitor } from './monitor-store.ts';
import type { MonitoringDeps } from './monitoring-deps.ts';
import { registerMonitoringRoutes } from './monitoring-routes.ts';
import { createMonitorsKind } from './monitors-kind.ts';
import {
  createWindowService,
  driftFingerprint,
  otherChampion,
  performanceFingerprint,
  type Standing,
} from './window-service.ts';

/** The door of `monitoring`. */
export interface MonitoringApi {
  find(reader: Reader, project: string, name: string): Promise<Monitor | undefined>;
  /** By name. */
  list(reader: Reader, project: string): Promise<readonly Monitor[]>;
  standing(reader: Reader, monitor: Monitor): Promise<Standing>;
  /** Closed windows, newest first. */
  windows(reader: Reader, project: string, name: string, limit: number): Promise<readonly ClosedWindow[]>;
}

export interface MonitoringModule {
  readonly id: 'monitoring';
  readonly api: MonitoringApi;
  readonly kind: ResourceKind<MonitorSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createMonitoringModule(deps: MonitoringDeps): MonitoringModule {
  const windows = createWindowService(deps);

  const consumers: readonly Consumer[] = [
    {
      name: 'monitoring.windows',
      types: ['prediction.settled', 'truth.recorded', 'monitor.changed'],
      async deliver(event) {
        const context = { actor: 'system:monitoring.windows', cause: event.id };
        if (event.type === 'monitor.changed') await windows.closeWindows(context, event.project, event.data.monitor);
        if (event.type !== 'prediction.settled' && event.type !== 'truth.recorded') return;
        const { endpoint: deployment } = event.data;
        for (const { name } of await listMonitors(deps.database.read, event.project, { deployment }))
          await windows.closeWindows(context, event.project, name);
      },
    },
    {
      name: 'monitoring.promotions',
      types: ['promotion.completed'],
      // A new champion is judged by its own rows and its own training data: what was said of the one before is over.
      async handle(unit, event) {
        if (event.type !== 'promotion.completed') return;
        const { model, version } = event.data;
        for (const { name, deployment } of await listMonitors(unit, event.project)) {
          const champion = await windows.champion(unit, event.project, deployment);
          if (champion?.model !== model) continue;
          const { project } = event;
          await deps.alerts.resolve(unit, {
            project,
            fingerprint: performanceFingerprint(name),
            reason: `version ${version} of ${model} became champion`,
          });
          await deps.alerts.resolve(unit, {
            project,
            fingerprint: driftFingerprint(name),
            reason: otherChampion({ model, version }),
          });
        }
      },
    },
  ];

  return {
    id: 'monitoring',
    api: {
      find: findMonitor,
      list: listMonitors,
      standing: (reader, monitor) => windows.standing(reader, monitor),
      windows: (reader, project, name, limit) => listWindows(reader, project, name, { limit }),
    },
    kind: createMonitorsKind(deps),
    consumers,
    routes: (app) => registerMonitoringRoutes(app, { ...deps, windows }),
  };
}
