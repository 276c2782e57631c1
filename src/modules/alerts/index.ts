export type { AlertsApi, Sighting } from './alert-service.ts';
export type { Alert, AlertFilter } from './alert-store.ts';
export { type AlertsDeps, type AlertsModule, createAlertsModule } from './alerts-module.ts';
