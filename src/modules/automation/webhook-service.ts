import { randomBytes } from 'node:crypto';
import { type WebhookFormatName, webhookEventTypes } from '#contracts/automation';
import type { TidemillEvent } from '#contracts/event-types';
import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import type { Consumer } from '#platform/events';
import type { AutomationDeps } from './automation-deps.ts';
import { automationErrors } from './automation-errors.ts';
import { type Delivery, findDelivery, insertDelivery, updateDelivery } from './delivery-store.ts';
import { tidemillFormat, type WebhookFormat } from './webhook-format.ts';
import { deleteWebhook, findWebhook, listWebhooksBefore, putWebhook, type Webhook } from './webhook-store.ts';

export interface NewWebhook {
  readonly project: string;
  readonly url: string;
  readonly types: readonly string[];
  /** Default: made here. Empty: nothing is signed. */
  readonly secret?: string;
  readonly format?: WebhookFormatName;
  readonly name?: string;
  readonly description?: string;
  readonly enabled?: boolean;
}

export interface WebhookChange {
  readonly url?: string;
  readonly types?: readonly string[];
  readonly enabled?: boolean;
  readonly name?: string;
  readonly description?: string;
  /** Empty: nothing is signed any more. */
  readonly secret?: string;
}

/** Subscriptions to events, and the queue of what is to be sent. */
export interface WebhookService {
  /** WEBHOOK_NOT_FOUND, also when it is of another format than was asked for. */
  get(reader: Reader, project: string, id: string, format?: WebhookFormatName): Promise<Webhook>;
  /** WEBHOOK_TYPES_INVALID, also of a change. */
  create(unit: Unit, webhook: NewWebhook): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  change(unit: Unit, project: string, id: string, change: WebhookChange): Promise<Webhook>;
  remove(unit: Unit, project: string, id: string): Promise<void>;
  /** Undefined: it goes unsigned. */
  secretOf(reader: Reader, webhook: Webhook): Promise<string | undefined>;
  formatOf(webhook: Pick<Webhook, 'format'>): WebhookFormat;
  /** Queues a delivery again. DELIVERY_NOT_FOUND. */
  retry(unit: Unit, project: string, webhookId: string, deliveryId: string): Promise<Delivery>;
  /** Queues an event for each webhook that wants it. */
  queue(unit: Unit, event: TidemillEvent): Promise<boolean>;
}

const secretBytes = 32;
const secretName = (id: string): string => `webhook-${id}`;
const referenceOf = (id: string): string => formatReference('webhook', id);

export function createWebhookService(deps: Pick<AutomationDeps, 'secrets' | 'formats'>): WebhookService {
  const { secrets } = deps;
  const formats = new Map([tidemillFormat, ...(deps.formats ?? [])].map((format) => [format.name, format]));

  const putSecret = (unit: Unit, { project, id }: Webhook, secret: string) =>
    secrets.put(unit, project, secretName(id), secret, [referenceOf(id)]);

  function requireTypes({ format, types }: Pick<Webhook, 'format' | 'types'>): void {
    const known = service.formatOf({ format }).types;
    const unknown = types.find((type) => !known.includes(type));
    if (unknown !== undefined) throw automationErrors.WEBHOOK_TYPES_INVALID(unknown, format);
  }

  const service: WebhookService = {
    formatOf({ format }) {
      const found = formats.get(format);
      if (found === undefined) throw new Error(`no format "${format}" was given to this module`);
      return found;
    },

    async get(reader, project, id, format) {
      const webhook = await findWebhook(reader, id);
      if (webhook?.project !== project || (format !== undefined && webhook.format !== format))
        throw automationErrors.WEBHOOK_NOT_FOUND(id);
      return webhook;
    },

    async create(unit, { secret = randomBytes(secretBytes).toString('base64url'), ...given }) {
      const { project, url, types, format = 'tidemill', name = '', description = '', enabled = true } = given;
      const times = { createdMs: unit.nowMs, updatedMs: unit.nowMs };
      const what = { project, url, types, format, name, description, enabled };
      const webhook: Webhook = { id: unit.newId(), ...what, signed: secret !== '', ...times };
      requireTypes(webhook);
      await putWebhook(unit, webhook);
      if (webhook.signed) await putSecret(unit, webhook, secret);
      await unit.emit({
        type: 'webhook.created',
        project,
        subject: referenceOf(webhook.id),
        data: { webhookId: webhook.id, types: [...types] },
      });
      return { webhook, secret };
    },

    async change(unit, project, id, { secret, ...change }) {
      const before = await service.get(unit, project, id);
      const signed = secret === undefined ? before.signed : secret !== '';
      const webhook: Webhook = { ...before, ...change, signed, updatedMs: unit.nowMs };
      if (change.types !== undefined) requireTypes(webhook);
      await putWebhook(unit, webhook);
      if (secret) await putSecret(unit, webhook, secret);
      else if (before.signed && !signed) await secrets.remove(unit, project, secretName(id));
      await unit.emit({
        type: 'webhook.changed',
        project,
        subject: referenceOf(id),
        data: { webhookId: id, enabled: webhook.enabled },
      });
      return webhook;
    },

    async remove(unit, project, id) {
      const { signed } = await service.get(unit, project, id);
      await deleteWebhook(unit, id);
      if (signed) await secrets.remove(unit, project, secretName(id));
      await unit.emit({ type: 'webhook.removed', project, subject: referenceOf(id), data: { webhookId: id } });
    },

    secretOf: async (reader, { project, id, signed }) =>
      signed ? secrets.reveal(reader, project, secretName(id), referenceOf(id)) : undefined,

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
      const messages = new Map<string, { readonly type: string; readonly body: string | undefined }>();
      let queued = false;
      for (const webhook of webhooks) {
        const format = service.formatOf(webhook);
        const type = format.typeOf(event);
        // what happened before it was asked for is not sent
        if (!webhook.enabled || event.atMs < webhook.createdMs || type === undefined || !webhook.types.includes(type))
          continue;
        const message = messages.get(format.name) ?? { type, body: await format.bodyOf(unit, event) };
        messages.set(format.name, message);
        if (message.body === undefined) continue;
        queued = true;
        await insertDelivery(unit, {
          id: unit.newId(),
          project: event.project,
          webhookId: webhook.id,
          eventId: event.id,
          eventType: type,
          subject: event.subject,
          body: message.body,
          state: 'pending',
          attempts: 0,
          nextAttemptMs: unit.nowMs,
          status: undefined,
          error: undefined,
          createdMs: unit.nowMs,
          endedMs: undefined,
        });
      }
      return queued;
    },
  };
  return service;
}

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
