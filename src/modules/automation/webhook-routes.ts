import type { FastifyInstance } from 'fastify';
import {
  changeWebhook,
  createWebhook,
  type DeliveryView,
  getWebhook,
  listDeliveries,
  listWebhooks,
  removeWebhook,
  retryDelivery,
  type WebhookView,
} from '#contracts/automation';
import { defaultPageLimit } from '#contracts/page';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Database, Reader } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import { type Delivery, listDeliveriesBefore } from './delivery-store.ts';
import type { WebhookService } from './webhook-service.ts';
import { listWebhooksBefore, type Webhook } from './webhook-store.ts';
import type { WebhooksApi } from './webhooks-api.ts';

const toDeliveryView = (delivery: Delivery): DeliveryView => ({
  id: delivery.id,
  webhookId: delivery.webhookId,
  eventId: delivery.eventId,
  eventType: delivery.eventType,
  subject: delivery.subject,
  state: delivery.state,
  attempts: delivery.attempts,
  ...(delivery.status !== undefined && { status: delivery.status }),
  ...(delivery.error !== undefined && { error: delivery.error }),
  ...(delivery.nextAttemptMs !== undefined && { nextAt: toRfc3339(delivery.nextAttemptMs) }),
  createdAt: toRfc3339(delivery.createdMs),
  ...(delivery.endedMs !== undefined && { endedAt: toRfc3339(delivery.endedMs) }),
});

async function toView(reader: Reader, webhook: Webhook): Promise<WebhookView> {
  const { id, name, url, format, types, enabled, createdMs } = webhook;
  const [last] = await listDeliveriesBefore(reader, { webhookId: id, limit: 1 });
  return {
    id,
    ...(name !== '' && { name }),
    url,
    format,
    types: [...types],
    enabled,
    createdAt: toRfc3339(createdMs),
    ...(last !== undefined && {
      lastDelivery: {
        state: last.state,
        at: toRfc3339(last.endedMs ?? last.createdMs),
        ...(last.status !== undefined && { status: last.status }),
      },
    }),
  };
}

export function registerWebhookRoutes(
  app: FastifyInstance,
  deps: {
    readonly database: Database;
    readonly webhooks: WebhookService;
    readonly api: WebhooksApi;
    readonly wakeSender: () => void;
  },
): void {
  const { database, webhooks, api, wakeSender } = deps;
  const { read } = database;

  registerOperation(app, listWebhooks, async ({ query, context }, answer) => {
    const { limit = defaultPageLimit, cursor } = query;
    const page = await listWebhooksBefore(read, {
      project: context.project,
      ...(cursor !== undefined && { beforeId: String(decodeCursor(cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.id]);
    return answer(200, { items: await Promise.all(shown.map((webhook) => toView(read, webhook))), ...more });
  });

  registerOperation(app, getWebhook, async ({ params, context }, answer) =>
    answer(200, await toView(read, await webhooks.get(read, context.project, params.webhookId))),
  );

  registerOperation(app, createWebhook, async ({ body, context }, answer) => {
    await api.checkAddress(body.url, 'tidemill');
    const { webhook, secret } = await database.write(context.write, (unit) =>
      webhooks.create(unit, { ...body, project: context.project }),
    );
    return answer(201, { ...(await toView(read, webhook)), secret });
  });

  registerOperation(app, changeWebhook, async ({ params, body, context }, answer) => {
    if (body.url !== undefined) {
      const { format } = await webhooks.get(read, context.project, params.webhookId);
      await api.checkAddress(body.url, format);
    }
    const webhook = await database.write(context.write, (unit) =>
      webhooks.change(unit, context.project, params.webhookId, body),
    );
    return answer(200, await toView(read, webhook));
  });

  registerOperation(app, removeWebhook, async ({ params, context }, answer) => {
    await database.write(context.write, (unit) => webhooks.remove(unit, context.project, params.webhookId));
    return answer(200, {});
  });

  registerOperation(app, listDeliveries, async ({ params, query, context }, answer) => {
    const webhook = await webhooks.get(read, context.project, params.webhookId);
    const { limit = defaultPageLimit, cursor, state } = query;
    const page = await listDeliveriesBefore(read, {
      webhookId: webhook.id,
      ...(state !== undefined && { state }),
      ...(cursor !== undefined && { beforeId: String(decodeCursor(cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.id]);
    return answer(200, { items: shown.map(toDeliveryView), ...more });
  });

  registerOperation(app, retryDelivery, async ({ params, context }, answer) => {
    const delivery = await database.write(context.write, async (unit) => {
      unit.afterCommit(wakeSender);
      return await webhooks.retry(unit, context.project, params.webhookId, params.deliveryId);
    });
    return answer(200, toDeliveryView(delivery));
  });
}
