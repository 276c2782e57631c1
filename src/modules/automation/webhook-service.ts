import { randomBytes } from 'node:crypto';
import { webhookEventTypes } from '#contracts/automation';
import type { EventOnWire } from '#contracts/event-operations';
import type { TidemillEvent } from '#contracts/event-types';
import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import type { Consumer } from '#platform/events';
import type { AutomationDeps } from './automation-deps.ts';
import { automationErrors } from './automation-errors.ts';
import { type Delivery, findDelivery, insertDelivery, updateDelivery } from './delivery-store.ts';
import { deleteWebhook, findWebhook, listWebhooksBefore, putWebhook, type Webhook } from './webhook-store.ts';

export interface NewWebhook {
  readonly project: string;
  readonly url: string;
  readonly types: readonly string[];
  /** Default: made here. */
  readonly secret?: string;
}

export interface WebhookChange {
  readonly url?: string;
  readonly types?: readonly string[];
  readonly enabled?: boolean;
  readonly secret?: string;
}

/** Subscriptions to events, and the queue of what is to be sent. */
export interface WebhookService {
  /** WEBHOOK_NOT_FOUND. */
  get(reader: Reader, project: string, id: string): Promise<Webhook>;
  create(unit: Unit, webhook: NewWebhook): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  change(unit: Unit, project: string, id: string, change: WebhookChange): Promise<Webhook>;
  remove(unit: Unit, project: string, id: string): Promise<void>;
  secretOf(reader: Reader, webhook: Webhook): Promise<string>;
  /** Queues a delivery again. DELIVERY_NOT_FOUND. */
  retry(unit: Unit, project: string, webhookId: string, deliveryId: string): Promise<Delivery>;
  /** Queues an event for each webhook that wants it. */
  queue(unit: Unit, event: TidemillEvent): Promise<boolean>;
}

const secretBytes = 32;
const secretName = (id: string): string => `webhook-${id}`;
const referenceOf = (id: string): string => formatReference('webhook', id);

export function createWebhookService(deps: Pick<AutomationDeps, 'secrets'>): WebhookService {
  const { secrets } = deps;

  const putSecret = (unit: Unit, { project, id }: Webhook, secret: string) =>
    secrets.put(unit, project, secretName(id), secret, [referenceOf(id)]);

  const service: WebhookService = {
    async get(reader, project, id) {
      const webhook = await findWebhook(reader, id);
      if (webhook === undefined || webhook.project !== project) throw automationErrors.WEBHOOK_NOT_FOUND(id);
      return webhook;
    },

    async create(unit, { project, url, types, secret = randomBytes(secretBytes).toString('base64url') }) {
      const webhook: Webhook = { id: unit.newId(), project, url, types, enabled: true, createdMs: unit.nowMs };
      await putWebhook(unit, webhook);
      await putSecret(unit, webhook, secret);
      await unit.emit({
        type: 'webhook.created',
        project,
        subject: referenceOf(webhook.id),
        data: { webhookId: webhook.id, types: [...types] },
      });
      return { webhook, secret };
    },

    async change(unit, project, id, { secret, ...change }) {
      const webhook: Webhook = { ...(await service.get(unit, project, id)), ...change };
      await putWebhook(unit, webhook);
      if (secret !== undefined) await putSecret(unit, webhook, secret);
      await unit.emit({
        type: 'webhook.changed',
        project,
        subject: referenceOf(id),
        data: { webhookId: id, enabled: webhook.enabled },
      });
      return webhook;
    },

    async remove(unit, project, id) {
      await service.get(unit, project, id);
      await deleteWebhook(unit, id);
      await secrets.remove(unit, project, secretName(id));
      await unit.emit({ type: 'webhook.removed', project, subject: referenceOf(id), data: { webhookId: id } });
    },

    secretOf: (reader, { project, id }) => secrets.reveal(reader, project, secretName(id), referenceOf(id)),

    async retry(unit, project, webhookId, deliveryId) {
      await service.get(unit, project, webhookId);
      const delivery = await findDelivery(unit, webhookId, deliveryId);
      if (delivery === undefined) throw automationErrors.DELIVERY_NOT_FOUND(deliveryId);
      const again: Delivery = {
        ...delivery,
        state: 'pending',
        attempts: 0,
        nextAttemptMs: unit.nowMs,
        endedMs: undefined,
      };
      await updateDelivery(unit, delivery, again);
      return again;
    },

    async queue(unit, event) {
      const webhooks = await listWebhooksBefore(unit, { project: event.project });
      const wanted = webhooks.filter(
        // what happened before it was asked for is not sent
        ({ enabled, types, createdMs }) => enabled && types.includes(event.type) && event.atMs >= createdMs,
      );
      if (wanted.length === 0) return false;
      const body = JSON.stringify(toWire(event));
      for (const webhook of wanted)
        await insertDelivery(unit, {
          id: unit.newId(),
          project: event.project,
          webhookId: webhook.id,
          eventId: event.id,
          eventType: event.type,
          subject: event.subject,
          body,
          state: 'pending',
          attempts: 0,
          nextAttemptMs: unit.nowMs,
          status: undefined,
          error: undefined,
          createdMs: unit.nowMs,
          endedMs: undefined,
        });
      return true;
    },
  };
  return service;
}

const toWire = (event: TidemillEvent): EventOnWire => ({
  position: event.position,
  id: event.id,
  project: event.project,
  subject: event.subject,
  type: event.type,
  actor: event.actor,
  ...(event.cause !== undefined && { cause: event.cause }),
  at: new Date(event.atMs).toISOString(),
  data: event.data,
});

/** Puts events into the outbox, exactly once; sending them is the sender's, who may take its time and try again. */
export function createWebhookConsumer(webhooks: Pick<WebhookService, 'queue'>, wakeSender: () => void): Consumer {
  return {
    name: 'automation.webhooks',
    types: webhookEventTypes,
    from: 'now',
    async handle(unit, event) {
      if (await webhooks.queue(unit, event)) unit.afterCommit(wakeSender);
    },
  };
}
