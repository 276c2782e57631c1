import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { TriggerSpec } from '#contracts/automation';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import type { AutomationDeps } from './automation-deps.ts';
import { createCronLoop } from './cron-loop.ts';
import { createNotifySteps } from './notify-steps.ts';
import { createTriggerConsumer } from './trigger-consumer.ts';
import { registerTriggerRoutes } from './trigger-routes.ts';
import { type AutomationApi, createTriggerService } from './trigger-service.ts';
import { createTriggersKind } from './triggers-kind.ts';
import { createWebhookAddresses, type Resolve } from './webhook-address.ts';
import { createWebhookPost } from './webhook-post.ts';
import { registerWebhookRoutes } from './webhook-routes.ts';
import { createWebhookSender } from './webhook-sender.ts';
import { createWebhookConsumer, createWebhookService } from './webhook-service.ts';
import { createWebhooksApi, type WebhooksApi } from './webhooks-api.ts';

export interface AutomationModule {
  readonly id: 'automation';
  readonly api: AutomationApi;
  readonly webhooks: WebhooksApi;
  readonly kind: ResourceKind<TriggerSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when no webhook is being sent and none is due. */
  idle(): Promise<void>;
  /** Fires the crons that are due now, without waiting for their timer. */
  runDueCrons(): Promise<void>;
}

/** Triggers that start pipelines by themselves, and events sent to other programs. */
export function createAutomationModule(
  deps: AutomationDeps & {
    /** For tests. Default: as the system resolves names. */
    readonly resolve?: Resolve;
  },
): AutomationModule {
  const { database } = deps;
  const triggers = createTriggerService(deps);
  const crons = createCronLoop({ ...deps, triggers });
  const webhooks = createWebhookService(deps);
  const addresses = createWebhookAddresses({
    allowedHosts: deps.webhookHosts,
    ...(deps.resolve !== undefined && { resolve: deps.resolve }),
  });
  const nowMs = () => deps.clock.nowMs();
  const post = createWebhookPost({ webhooks, addresses, nowMs });
  const sender = createWebhookSender({ ...deps, post });
  let stopping = new AbortController();
  const webhooksApi = createWebhooksApi({
    database,
    webhooks,
    addresses,
    post,
    nowMs,
    newId: () => randomUUID(),
    signal: () => stopping.signal,
  });
  return {
    id: 'automation',
    api: triggers,
    webhooks: webhooksApi,
    kind: createTriggersKind(triggers, () => crons.wake()),
    consumers: [
      createTriggerConsumer(triggers, deps.alerts),
      createNotifySteps(deps),
      createWebhookConsumer(webhooks, () => sender.wake()),
    ],
    routes(app) {
      registerTriggerRoutes(app, { database, api: triggers });
      registerWebhookRoutes(app, { database, webhooks, api: webhooksApi, wakeSender: () => sender.wake() });
    },
    async start() {
      stopping = new AbortController();
      crons.start();
      sender.start();
    },
    async stop() {
      stopping.abort();
      await crons.stop();
      await sender.stop();
    },
    idle: () => sender.idle(),
    runDueCrons: () => crons.runDue(),
  };
}
