export type { AutomationDeps } from './automation-deps.ts';
export { type AutomationModule, createAutomationModule } from './automation-module.ts';
export type { Firing, FiringFilter } from './firing-store.ts';
export type { AutomationApi, Cause } from './trigger-service.ts';
export type { Trigger } from './trigger-store.ts';
export type { WebhookFormat, WebhookMessage } from './webhook-format.ts';
export type { Webhook } from './webhook-store.ts';
export type { WebhooksApi } from './webhooks-api.ts';
