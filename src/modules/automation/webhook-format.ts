import { type WebhookFormatName, webhookEventTypes } from '#contracts/automation';
import { toEventOnWire } from '#contracts/event-operations';
import type { TidemillEvent } from '#contracts/event-types';
import type { Reader } from '#platform/database';
import { signBody } from './webhook-signature.ts';

/** One message as it goes out: the body is the same in every attempt, the ids too. */
export interface WebhookMessage {
  readonly deliveryId: string;
  readonly eventId: string;
  /** As the receiver names it. */
  readonly type: string;
  readonly body: string;
}

/** How events are said to receivers of one kind: their names, bodies and signatures. Sending is not its concern. */
export interface WebhookFormat {
  readonly name: WebhookFormatName;
  /** What a webhook may ask for. */
  readonly types: readonly string[];
  /** Plain http goes to hosts of the operator's list alone. */
  readonly secureOnly: boolean;
  /** What receivers call this event; undefined when they do not hear of it. */
  typeOf(event: TidemillEvent): string | undefined;
  /** The message's body; undefined when what it would tell of is gone. */
  bodyOf(reader: Reader, event: TidemillEvent): Promise<string | undefined>;
  /** A body such as one of this type has, to try a receiver with. */
  exampleOf(type: string, nowMs: number): string;
  /** Beside the content type; made anew for each attempt, since the time of sending is signed. */
  headersOf(message: WebhookMessage, secret: string | undefined, nowMs: number): Readonly<Record<string, string>>;
}

/** Our own: the event as the log has it. */
export const tidemillFormat: WebhookFormat = {
  name: 'tidemill',
  types: webhookEventTypes,
  secureOnly: false,
  typeOf: (event) => event.type,
  bodyOf: async (_reader, event) => JSON.stringify(toEventOnWire(event)),
  exampleOf: (type, nowMs) => JSON.stringify({ type, at: new Date(nowMs).toISOString(), data: {} }),
  headersOf: ({ deliveryId, eventId, type, body }, secret, nowMs) => ({
    'idempotency-key': eventId,
    'tidemill-event': type,
    'tidemill-delivery': deliveryId,
    ...(secret !== undefined && { 'tidemill-signature': signBody(secret, body, nowMs) }),
  }),
};
