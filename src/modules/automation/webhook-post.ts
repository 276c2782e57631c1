import type { Reader } from '#platform/database';
import type { WebhookAddresses } from './webhook-address.ts';
import type { WebhookFormat, WebhookMessage } from './webhook-format.ts';
import { type PostAnswer, postTo } from './webhook-request.ts';
import type { WebhookService } from './webhook-service.ts';
import type { Webhook } from './webhook-store.ts';

const timeoutMs = 10_000;

/** Posts one message to its receiver, signed, at an address that was just checked. Throws what a caller may be told. */
export type PostWebhook = (
  reader: Reader,
  webhook: Webhook,
  message: WebhookMessage,
  signal: AbortSignal,
) => Promise<PostAnswer>;

export function createWebhookPost(deps: {
  readonly webhooks: Pick<WebhookService, 'secretOf' | 'formatOf'>;
  readonly addresses: WebhookAddresses;
  readonly nowMs: () => number;
}): PostWebhook {
  return async (reader, webhook, message, signal) => {
    const format: WebhookFormat = deps.webhooks.formatOf(webhook);
    const secret = await deps.webhooks.secretOf(reader, webhook);
    const { url, addresses } = await deps.addresses.pin(webhook.url, format);
    return postTo({
      url,
      addresses,
      body: message.body,
      timeoutMs,
      signal,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'tidemill',
        ...format.headersOf(message, secret, deps.nowMs()),
      },
    });
  };
}
