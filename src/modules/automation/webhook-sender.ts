import { formatReference } from '#contracts/references';
import type { Unit, WriteContext } from '#platform/database';
import { isAppError } from '#platform/errors';
import type { AutomationDeps } from './automation-deps.ts';
import { answerProblem, waitAfterAttempt } from './delivery-rule.ts';
import {
  type Delivery,
  deleteOldDeliveries,
  findDueDelivery,
  findNextAttemptMs,
  listDueWebhooks,
  updateDelivery,
} from './delivery-store.ts';
import type { PostWebhook } from './webhook-post.ts';
import { findWebhook } from './webhook-store.ts';

/**
 * Sends what is queued, at least once, each webhook by itself so that a slow one holds up no other.
 *
 *   pending --2xx--> delivered
 *   pending --anything else--> pending, later each time --eighth attempt--> failed, and an alert
 *
 * An answer that is lost after it was sent is sent again: the event id is the receiver's idempotency key.
 */
export interface WebhookSender {
  /** Something may be due. */
  wake(): void;
  start(): void;
  /** Ends requests under way; they are sent again after the next start. */
  stop(): Promise<void>;
  /** Resolves when nothing is being sent and nothing is due. */
  idle(): Promise<void>;
}

const context: WriteContext = { actor: 'system:automation.webhooks' };
const pollMs = 30_000;
const soonestMs = 1_000;
const keepMs = 30 * 86_400_000;
const pruneEveryMs = 3_600_000;

export function createWebhookSender(
  deps: Pick<AutomationDeps, 'database' | 'clock' | 'logger' | 'alerts'> & {
    readonly post: PostWebhook;
  },
): WebhookSender {
  const { database, clock, logger, alerts } = deps;
  const sending = new Map<string, Promise<void>>();
  let stopping = new AbortController();
  let started = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let prunedMs = 0;

  async function attempt(delivery: Delivery): Promise<{ readonly status?: number; readonly error?: string }> {
    try {
      const webhook = await findWebhook(database.read, delivery.webhookId);
      if (webhook === undefined) return { error: 'the webhook was removed' };
      const { id: deliveryId, eventId, eventType: type, body } = delivery;
      const message = { deliveryId, eventId, type, body };
      const { status } = await deps.post(database.read, webhook, message, stopping.signal);
      const error = answerProblem(status);
      return { status, ...(error !== undefined && { error }) };
    } catch (error) {
      if (!isAppError(error)) logger.warn({ err: error, delivery: delivery.id }, 'a webhook could not be sent');
      return { error: isAppError(error) ? error.message : 'it could not be sent; the log has the details' };
    }
  }

  async function record(unit: Unit, before: Delivery, result: Awaited<ReturnType<typeof attempt>>): Promise<void> {
    const attempts = before.attempts + 1;
    const waitMs = result.error === undefined ? undefined : waitAfterAttempt(attempts);
    const ended = waitMs === undefined;
    const after: Delivery = {
      ...before,
      attempts,
      state: result.error === undefined ? 'delivered' : ended ? 'failed' : 'pending',
      nextAttemptMs: ended ? undefined : unit.nowMs + waitMs,
      status: result.status,
      error: result.error,
      endedMs: ended ? unit.nowMs : undefined,
    };
    if (!(await updateDelivery(unit, before, after))) return;
    const { project, webhookId } = before;
    const fingerprint = `webhook:${webhookId}`;
    if (after.state === 'delivered')
      await alerts.resolve(unit, { project, fingerprint, reason: 'an event was delivered' });
    if (after.state === 'failed')
      await alerts.open(unit, {
        project,
        fingerprint,
        kind: 'webhook',
        severity: 'warning',
        title: `events cannot be delivered: ${result.error}`.slice(0, 500),
        subject: formatReference('webhook', webhookId),
        evidence: { delivery: before.id, event: before.eventId, attempts, status: result.status ?? null },
      });
  }

  /** One delivery of a webhook after another, while any is due. */
  async function sendAllOf(webhookId: string): Promise<void> {
    while (!stopping.signal.aborted) {
      const delivery = await findDueDelivery(database.read, webhookId, clock.nowMs());
      if (delivery === undefined) return;
      const result = await attempt(delivery);
      if (stopping.signal.aborted && result.error !== undefined) return;
      await database.write(context, (unit) => record(unit, delivery, result));
    }
  }

  async function look(): Promise<void> {
    const nowMs = clock.nowMs();
    if (nowMs - prunedMs >= pruneEveryMs) {
      prunedMs = nowMs;
      // what is old can wait, what is due cannot
      await database
        .write(context, (unit) => deleteOldDeliveries(unit, nowMs - keepMs))
        .catch((error: unknown) => logger.error({ err: error }, 'old deliveries stay for another hour'));
    }
    for (const webhookId of await listDueWebhooks(database.read, nowMs)) {
      if (sending.has(webhookId)) continue;
      const done = sendAllOf(webhookId)
        .catch((error: unknown) => logger.error({ err: error, webhook: webhookId }, 'deliveries stopped; trying again'))
        .finally(() => {
          sending.delete(webhookId);
          void schedule();
        });
      sending.set(webhookId, done);
    }
  }

  async function schedule(): Promise<void> {
    if (!started) return;
    const nextMs = await findNextAttemptMs(database.read).catch(() => undefined);
    clearTimeout(timer);
    // what is due and not yet sent is being sent, or failed to be read: not at once again
    const waitMs = nextMs === undefined ? pollMs : Math.max(soonestMs, nextMs - clock.nowMs());
    if (started) timer = setTimeout(wake, Math.min(pollMs, waitMs)).unref();
  }

  function wake(): void {
    if (!started) return;
    again = true;
    looking ??= (async () => {
      while (again && started) {
        again = false;
        await look().catch((error: unknown) => logger.error({ err: error }, 'webhooks cannot be sent; trying again'));
      }
      await schedule();
    })().finally(() => {
      looking = undefined;
    });
  }

  return {
    wake,
    start() {
      stopping = new AbortController();
      started = true;
      wake();
    },
    async stop() {
      started = false;
      clearTimeout(timer);
      stopping.abort();
      await looking;
      await Promise.all(sending.values());
    },
    async idle() {
      do {
        wake();
        await looking;
        await Promise.all(sending.values());
      } while (started && (await listDueWebhooks(database.read, clock.nowMs())).length > 0);
    },
  };
}
