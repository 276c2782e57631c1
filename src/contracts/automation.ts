import { type Static, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';
import { namePattern } from './references.ts';

export const automationEvents = defineEvents({
  'trigger.fired': Type.Object({
    trigger: Type.String(),
    causeSubject: Type.String(),
    action: Type.String({ description: 'what it runs: pipeline:train' }),
    result: Type.String({ description: 'what came of it: run:<id>' }),
  }),
  'trigger.suppressed': Type.Object({ trigger: Type.String(), causeSubject: Type.String(), reason: Type.String() }),
  /** A step of `use: notify` tells something to whoever listens. */
  'pipeline.notified': Type.Object({
    runId: Type.String(),
    pipeline: Type.String(),
    step: Type.String(),
    message: Type.String(),
  }),
  'webhook.created': Type.Object({ webhookId: Type.String(), types: Type.Array(Type.String()) }),
  'webhook.changed': Type.Object({ webhookId: Type.String(), enabled: Type.Boolean() }),
  'webhook.removed': Type.Object({ webhookId: Type.String() }),
});

const closed = { additionalProperties: false } as const;
const Instant = Type.String({ format: 'date-time' });

/** One entry of the list `triggers` in tidemill.yaml. Exactly one of `on` and `cron` says when. */
export const TriggerSpec = Type.Object(
  {
    name: Type.Optional(
      Type.String({ pattern: namePattern, description: 'default: made from what it listens to and what it runs' }),
    ),
    on: Type.Optional(
      Type.String({
        pattern:
          '^(alert:[A-Za-z0-9._-]+/[A-Za-z0-9._-]+|dataset:[A-Za-z0-9._-]+|model:[A-Za-z0-9._-]+@[A-Za-z0-9._-]+)$',
        description:
          'alert:<monitor>/<kind> (it opened), dataset:<name> (it has a new version), model:<name>@<alias> (the alias moved)',
      }),
    ),
    cron: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'minute, hour, day of the month, month, day of the week: "0 3 * * MON"; or @daily',
      }),
    ),
    zone: Type.Optional(
      Type.String({ maxLength: 100, default: 'UTC', description: 'time zone of `cron`: America/New_York' }),
    ),
    run: Type.String({
      pattern: '^pipeline:[A-Za-z0-9][A-Za-z0-9._-]*$',
      description: 'what it does: pipeline:<name> starts a run',
    }),
    params: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'parameters of the run' })),
    cooldown: Type.Optional(
      Type.String({
        pattern: durationPattern,
        description:
          "after it fired it keeps still for so long, on the endpoint's clock for an alert; then it fires again while the incident stays open: 21d",
      }),
    ),
  },
  { ...closed, $id: 'TriggerSpec', description: 'something that starts a pipeline by itself' },
);
export type TriggerSpec = Static<typeof TriggerSpec>;

export const FiringState = Type.Enum(['fired', 'suppressed', 'failed']);
export type FiringState = Static<typeof FiringState>;

/** What a trigger did about one cause. */
export const FiringView = Type.Object({
  id: Type.String(),
  trigger: Type.String(),
  state: FiringState,
  cause: Type.String({ description: 'id of the event; cron:<instant>; hand:<request id>' }),
  causeSubject: Type.String({ description: 'reference of what led to it' }),
  run: Type.Optional(Type.String({ description: 'the pipeline run that it started' })),
  reason: Type.Optional(Type.String({ description: 'why it did nothing' })),
  clockAt: Type.String({
    format: 'date-time',
    description: 'on the clock of the cause, by which the cool-down runs: event time in a replay',
  }),
  at: Instant,
});
export type FiringView = Static<typeof FiringView>;

export const TriggerView = Type.Object({
  name: Type.String(),
  spec: TriggerSpec,
  generation: Type.Integer(),
  declaredAt: Instant,
  nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'when `cron` fires next' })),
  lastFiring: Type.Optional(FiringView),
});
export type TriggerView = Static<typeof TriggerView>;

const byTrigger = Type.Object({ name: Type.String({ pattern: namePattern }) });

export const listTriggers = defineOperation({
  id: 'triggers.list',
  method: 'GET',
  path: '/api/v1/triggers',
  summary: 'List the triggers of a project and what they did last, by name.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(TriggerView) },
  errors: ['CURSOR_INVALID'],
});

export const getTrigger = defineOperation({
  id: 'triggers.get',
  method: 'GET',
  path: '/api/v1/triggers/:name',
  summary: 'Show a trigger.',
  permission: 'read',
  params: byTrigger,
  responses: { 200: TriggerView, 404: ErrorBody },
  errors: ['TRIGGER_NOT_FOUND'],
});

export const fireTrigger = defineOperation({
  id: 'triggers.fire',
  method: 'POST',
  path: '/api/v1/triggers/:name/fire',
  summary: 'Fire a trigger by hand, without regard to its cool-down. One request id fires it once.',
  permission: 'write',
  params: byTrigger,
  responses: { 200: FiringView, 404: ErrorBody },
  errors: ['TRIGGER_NOT_FOUND'],
});

export const listFirings = defineOperation({
  id: 'triggers.firings',
  method: 'GET',
  path: '/api/v1/firings',
  summary: 'List what triggers did and what they let pass, with the reason, newest first.',
  permission: 'read',
  query: Type.Object({ ...pageFields, trigger: Type.Optional(Type.String({ pattern: namePattern })) }, closed),
  responses: { 200: pageOf(FiringView) },
  errors: ['CURSOR_INVALID'],
});

/** Events that may be sent out. Not those of the inner works (jobs, ends of steps, replicas): too many, and of no use outside. */
export const webhookEventTypes = [
  'project.goal.changed',
  'workspace.applied',
  'dataset.version.created',
  'dataset.check.failed',
  'dataset.ingestion.failed',
  'pipeline.run.started',
  'pipeline.run.finished',
  'pipeline.notified',
  'step.waiting',
  'model.created',
  'model.tag.set',
  'model.tag.deleted',
  'model.version.created',
  'model.version.tag.set',
  'model.version.tag.deleted',
  'model.version.proposed',
  'gate.decided',
  'approval.requested',
  'approval.decided',
  'promotion.completed',
  'promotion.rejected',
  'promotion.rolled-back',
  'registry.alias.moved',
  'deployment.changed',
  'deployment.revision.failed',
  'rollout.started',
  'rollout.advanced',
  'rollout.completed',
  'rollout.aborted',
  'rollout.superseded',
  'window.closed',
  'alert.opened',
  'alert.resolved',
  'trigger.fired',
  'trigger.suppressed',
  'consumer.parked',
  'consumer.resumed',
] as const;

const EventTypes = Type.Array(Type.Enum([...webhookEventTypes]), {
  minItems: 1,
  maxItems: webhookEventTypes.length,
  uniqueItems: true,
  description: 'which events are sent',
});
const Url = Type.String({ pattern: '^https?://', maxLength: 2000, description: 'where they are sent, by POST' });

/** How events are said to a receiver: as our log has them, or as MLflow's server sends its own. */
export const WebhookFormatName = Type.Enum(['tidemill', 'mlflow']);
export type WebhookFormatName = Static<typeof WebhookFormatName>;
const Name = Type.String({ maxLength: 100, description: 'what people call it' });

export const WebhookView = Type.Object({
  id: Type.String(),
  name: Type.Optional(Type.String()),
  url: Type.String(),
  format: WebhookFormatName,
  types: Type.Array(Type.String()),
  enabled: Type.Boolean(),
  createdAt: Instant,
  lastDelivery: Type.Optional(
    Type.Object({ state: Type.String(), at: Instant, status: Type.Optional(Type.Integer()) }),
  ),
});
export type WebhookView = Static<typeof WebhookView>;

export const DeliveryState = Type.Enum(['pending', 'delivered', 'failed']);
export type DeliveryState = Static<typeof DeliveryState>;

export const DeliveryView = Type.Object({
  id: Type.String(),
  webhookId: Type.String(),
  eventId: Type.String({ description: 'the idempotency key: the same in every attempt' }),
  eventType: Type.String({ description: 'as the receiver names it' }),
  subject: Type.String(),
  state: DeliveryState,
  attempts: Type.Integer(),
  status: Type.Optional(Type.Integer({ description: 'HTTP status of the last answer' })),
  error: Type.Optional(Type.String({ description: 'why the last attempt failed' })),
  nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'when it is tried again' })),
  createdAt: Instant,
  endedAt: Type.Optional(Instant),
});
export type DeliveryView = Static<typeof DeliveryView>;

const byWebhook = Type.Object({ webhookId: Type.String({ minLength: 1, maxLength: 100 }) });

export const listWebhooks = defineOperation({
  id: 'webhooks.list',
  method: 'GET',
  path: '/api/v1/webhooks',
  summary: 'List the webhooks of a project, newest first.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(WebhookView) },
  errors: ['CURSOR_INVALID'],
});

export const getWebhook = defineOperation({
  id: 'webhooks.get',
  method: 'GET',
  path: '/api/v1/webhooks/:webhookId',
  summary: 'Show a webhook.',
  permission: 'read',
  params: byWebhook,
  responses: { 200: WebhookView, 404: ErrorBody },
  errors: ['WEBHOOK_NOT_FOUND'],
});

export const createWebhook = defineOperation({
  id: 'webhooks.create',
  method: 'POST',
  path: '/api/v1/webhooks',
  summary:
    'Send events to an address from now on, signed with a secret. The secret is answered once; it is made when none is given.',
  secretAnswer: true,
  permission: 'admin',
  body: Type.Object(
    {
      url: Url,
      types: EventTypes,
      name: Type.Optional(Name),
      secret: Type.Optional(Type.String({ minLength: 16, maxLength: 200, description: 'key of the signature' })),
    },
    closed,
  ),
  responses: { 201: Type.Object({ ...WebhookView.properties, secret: Type.String() }), 400: ErrorBody },
  errors: ['WEBHOOK_URL_INVALID', 'WEBHOOK_ADDRESS_REFUSED'],
});

export const changeWebhook = defineOperation({
  id: 'webhooks.change',
  method: 'PATCH',
  path: '/api/v1/webhooks/:webhookId',
  summary: 'Change a webhook; what is left out stays. While it is disabled nothing is queued for it.',
  permission: 'admin',
  params: byWebhook,
  body: Type.Object(
    {
      url: Type.Optional(Url),
      types: Type.Optional(EventTypes),
      name: Type.Optional(Name),
      enabled: Type.Optional(Type.Boolean({ description: 'whether events are sent' })),
      secret: Type.Optional(Type.String({ minLength: 16, maxLength: 200, description: 'key of the signature' })),
    },
    closed,
  ),
  responses: { 200: WebhookView, 400: ErrorBody, 404: ErrorBody },
  errors: ['WEBHOOK_NOT_FOUND', 'WEBHOOK_URL_INVALID', 'WEBHOOK_ADDRESS_REFUSED', 'WEBHOOK_TYPES_INVALID'],
});

export const removeWebhook = defineOperation({
  id: 'webhooks.remove',
  method: 'DELETE',
  path: '/api/v1/webhooks/:webhookId',
  summary: 'Remove a webhook with its deliveries.',
  permission: 'admin',
  params: byWebhook,
  responses: { 200: Type.Object({}), 404: ErrorBody },
  errors: ['WEBHOOK_NOT_FOUND'],
});

export const listDeliveries = defineOperation({
  id: 'webhooks.deliveries',
  method: 'GET',
  path: '/api/v1/webhooks/:webhookId/deliveries',
  summary: 'List what was sent to a webhook and what came back, newest first. Kept for 30 days.',
  permission: 'read',
  params: byWebhook,
  query: Type.Object({ ...pageFields, state: Type.Optional(DeliveryState) }, closed),
  responses: { 200: pageOf(DeliveryView), 404: ErrorBody },
  errors: ['WEBHOOK_NOT_FOUND', 'CURSOR_INVALID'],
});

export const retryDelivery = defineOperation({
  id: 'webhooks.retry',
  method: 'POST',
  path: '/api/v1/webhooks/:webhookId/deliveries/:deliveryId/retry',
  summary: 'Send a delivery again, with the same event id.',
  permission: 'admin',
  params: Type.Object({
    webhookId: Type.String({ minLength: 1, maxLength: 100 }),
    deliveryId: Type.String({ minLength: 1, maxLength: 100 }),
  }),
  responses: { 200: DeliveryView, 404: ErrorBody },
  errors: ['WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND'],
});
