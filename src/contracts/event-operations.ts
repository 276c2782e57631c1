import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import type { StoredEvent } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

/** An event on our own wire. */
export const EventOnWire = Type.Object({
  position: Type.String({ description: 'commit order; sorts as text' }),
  id: Type.String(),
  project: Type.String(),
  subject: Type.String(),
  type: Type.String(),
  actor: Type.String(),
  cause: Type.Optional(Type.String({ description: 'id of the event or request that led here' })),
  at: Type.String({ format: 'date-time' }),
  data: Type.Unknown(),
});
export type EventOnWire = Static<typeof EventOnWire>;

/** An event as the API, the audit log and webhooks say it. */
export const toEventOnWire = (event: StoredEvent): EventOnWire => ({
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

/** Server-sent events from here on, or from after `Last-Event-ID`. A raw route: `event: reset` says that some were missed. */
export const eventStreamPath = '/api/v1/events/stream';

export const listEvents = defineOperation({
  id: 'events.list',
  method: 'GET',
  path: '/api/v1/events',
  summary: 'List what happened in the project, newest first unless told.',
  permission: 'read',
  query: Type.Object(
    {
      ...pageFields,
      type: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 100 })),
      subject: Type.Optional(Type.String({ maxLength: 400 })),
      after: Type.Optional(Type.String({ pattern: '^[0-9]{1,40}$', description: 'only events after this position' })),
      order: Type.Optional(Type.Enum(['asc', 'desc'])),
    },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(EventOnWire) },
});

export const listParkedEvents = defineOperation({
  id: 'events.parked',
  method: 'GET',
  path: '/api/v1/events/parked',
  summary: 'List the events of the project that a consumer could not handle, and those that wait behind them.',
  permission: 'read',
  responses: {
    200: Type.Object({
      items: Type.Array(
        Type.Object({
          consumer: Type.String(),
          position: Type.String(),
          eventId: Type.String(),
          subject: Type.String(),
          type: Type.String(),
          error: Type.String(),
          attempts: Type.Integer(),
          parkedAt: Type.String({ format: 'date-time' }),
        }),
      ),
    }),
  },
});

export const retryParkedEvents = defineOperation({
  id: 'events.retry',
  method: 'POST',
  path: '/api/v1/events/retry',
  summary: 'Try parked events again, of one consumer or of all. Needs the admin role for all projects.',
  permission: 'admin',
  body: Type.Object({ consumer: Type.Optional(Type.String({ maxLength: 100 })) }, { additionalProperties: false }),
  responses: {
    200: Type.Object({ handled: Type.Integer({ description: 'events that are handled now' }) }),
    403: ErrorBody,
    404: ErrorBody,
  },
  errors: ['CONSUMER_UNKNOWN'],
});
