export type { ClosedWindow, Monitor } from './monitor-store.ts';
export type { MonitoringDeps } from './monitoring-deps.ts';
export { createMonitoringModule, type MonitoringApi, type MonitoringModule } from './monitoring-module.ts';
export type { Standing } from './window-service.ts';
