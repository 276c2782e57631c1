import type { Database, Reader } from '#platform/database';
import { isAppError } from '#platform/errors';
import { answerProblem } from './delivery-rule.ts';
import type { WebhookAddresses } from './webhook-address.ts';
import type { PostWebhook } from './webhook-post.ts';
import type { WebhookService } from './webhook-service.ts';
import { listWebhooksBefore, type Webhook } from './webhook-store.ts';

/** What came of trying a receiver. */
export interface WebhookTrial {
  readonly succeeded: boolean;
  readonly status?: number;
  /** The beginning of what it answered. */
  readonly text?: string;
  readonly error?: string;
}

/** Webhooks for protocols that have their own calls for them; queue, sender and log are the same for all. */
export interface WebhooksApi extends Pick<WebhookService, 'get' | 'create' | 'change' | 'remove'> {
  /** Newest first. */
  list(
    reader: Reader,
    filter: {
      readonly project: string;
      readonly format: Webhook['format'];
      readonly beforeId?: string;
      readonly limit: number;
    },
  ): Promise<readonly Webhook[]>;
  /**
   * Before a url is kept, outside any unit: WEBHOOK_URL_INVALID, WEBHOOK_ADDRESS_REFUSED. A name that cannot be looked up
   * now may be found later.
   */
  checkAddress(url: string, format: Webhook['format']): Promise<void>;
  /** Sends an example of an event, once and at once; it is no delivery and stands in no log. */
  try(webhook: Webhook, type: string): Promise<WebhookTrial>;
}

export function createWebhooksApi(deps: {
  readonly database: Database;
  readonly webhooks: WebhookService;
  readonly addresses: WebhookAddresses;
  readonly post: PostWebhook;
  readonly nowMs: () => number;
  readonly newId: () => string;
  readonly signal: () => AbortSignal;
}): WebhooksApi {
  const { database, webhooks, addresses, post } = deps;
  return {
    get: (reader, project, id, format) => webhooks.get(reader, project, id, format),
    create: (unit, webhook) => webhooks.create(unit, webhook),
    change: (unit, project, id, change) => webhooks.change(unit, project, id, change),
    remove: (unit, project, id) => webhooks.remove(unit, project, id),
    list: listWebhooksBefore,

    async checkAddress(url, format) {
      const rules = webhooks.formatOf({ format });
      addresses.check(url, rules);
      await addresses.pin(url, rules).catch((error: unknown) => {
        if (!isAppError(error, 'WEBHOOK_HOST_UNKNOWN')) throw error;
      });
    },

    async try(webhook, type) {
      const body = webhooks.formatOf(webhook).exampleOf(type, deps.nowMs());
      const message = { deliveryId: deps.newId(), eventId: deps.newId(), type, body };
      try {
        const { status, text } = await post(database.read, webhook, message, deps.signal());
        const error = answerProblem(status);
        return { succeeded: error === undefined, status, text, ...(error !== undefined && { error }) };
      } catch (error) {
        if (!isAppError(error)) throw error;
        return { succeeded: false, error: error.message };
      }
    },
  };
}
