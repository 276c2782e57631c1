import { type Static, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

export const alertsEvents = defineEvents({
  'alert.opened': Type.Object({
    alertId: Type.String(),
    fingerprint: Type.String(),
    kind: Type.String(),
    severity: Type.String(),
    title: Type.String(),
    monitor: Type.Optional(Type.String()),
    model: Type.Optional(Type.String()),
    version: Type.Optional(Type.Integer()),
    clockMs: Type.Optional(Type.Integer({ description: "of the sighting, on the subject's own clock" })),
    evidence: Type.Unknown(),
  }),
  'alert.seen': Type.Object({
    alertId: Type.String(),
    fingerprint: Type.String(),
    kind: Type.String(),
    count: Type.Integer({ description: 'how often it was seen while open, this time included' }),
    clockMs: Type.Integer({ description: "of the sighting, on the subject's own clock" }),
  }),
  'alert.resolved': Type.Object({
    alertId: Type.String(),
    fingerprint: Type.String(),
    kind: Type.String(),
    reason: Type.String(),
  }),
  'alert.silenced': Type.Object({
    fingerprint: Type.String(),
    untilMs: Type.Integer({ description: 'past when the silence was ended' }),
    reason: Type.String(),
  }),
});

export const AlertSeverity = Type.Enum(['info', 'warning', 'critical']);
export type AlertSeverity = Static<typeof AlertSeverity>;
export const AlertState = Type.Enum(['open', 'resolved']);
export type AlertState = Static<typeof AlertState>;

const Alert = Type.Object({
  id: Type.String(),
  reference: Type.String({ description: 'alert:<name>/<kind>, shared by every incident of the kind' }),
  fingerprint: Type.String({ description: 'what makes two sightings the same incident' }),
  kind: Type.String({ description: 'performance, drift, quality, consumer …' }),
  severity: AlertSeverity,
  title: Type.String(),
  subject: Type.String({ description: 'reference of what it is about' }),
  model: Type.Optional(Type.String()),
  version: Type.Optional(Type.Integer()),
  state: AlertState,
  count: Type.Integer({ description: 'how often it was seen while open' }),
  evidence: Type.Unknown({ description: 'of the last sighting' }),
  openedAt: Type.String({ format: 'date-time' }),
  lastSeenAt: Type.String({ format: 'date-time' }),
  resolvedAt: Type.Optional(Type.String({ format: 'date-time' })),
  resolvedReason: Type.Optional(Type.String()),
  silencedUntil: Type.Optional(Type.String({ format: 'date-time' })),
});
export type AlertView = Static<typeof Alert>;

const params = Type.Object({
  alertId: Type.String({
    minLength: 1,
    maxLength: 300,
    description: 'an id, or the reference late-arrival/performance: its open incident, else the latest',
  }),
});
const reason = Type.String({ description: 'why, for those who read it later', minLength: 1, maxLength: 1000 });

export const listAlerts = defineOperation({
  id: 'alerts.list',
  method: 'GET',
  path: '/api/v1/alerts',
  summary: 'List incidents, newest first.',
  permission: 'read',
  query: Type.Object(
    {
      ...pageFields,
      state: Type.Optional(AlertState),
      kind: Type.Optional(Type.String({ maxLength: 100 })),
      subject: Type.Optional(Type.String({ maxLength: 400 })),
    },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(Alert) },
});

export const getAlert = defineOperation({
  id: 'alerts.get',
  method: 'GET',
  path: '/api/v1/alerts/:alertId',
  summary: 'Show one incident with the evidence of its last sighting.',
  permission: 'read',
  params,
  responses: { 200: Alert, 404: ErrorBody },
  errors: ['ALERT_NOT_FOUND'],
});

export const silenceAlert = defineOperation({
  id: 'alerts.silence',
  method: 'POST',
  path: '/api/v1/alerts/:alertId/silence',
  summary:
    'Silence an incident and its like for a while: it is kept, but tells and triggers nothing. 0s ends a silence.',
  permission: 'write',
  params,
  body: Type.Object(
    { for: Type.String({ pattern: durationPattern, description: '2h, 1d' }), reason },
    { additionalProperties: false },
  ),
  responses: { 200: Alert, 404: ErrorBody },
  errors: ['ALERT_NOT_FOUND'],
});

export const resolveAlert = defineOperation({
  id: 'alerts.resolve',
  method: 'POST',
  path: '/api/v1/alerts/:alertId/resolve',
  summary: 'Resolve an incident by hand; the next sighting opens a new one.',
  permission: 'write',
  params,
  body: Type.Object({ reason }, { additionalProperties: false }),
  responses: { 200: Alert, 404: ErrorBody },
  errors: ['ALERT_NOT_FOUND'],
});
