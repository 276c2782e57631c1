import { Type } from 'typebox';
import { defineEvents } from './events.ts';

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
    evidence: Type.Unknown(),
  }),
  'alert.resolved': Type.Object({
    alertId: Type.String(),
    fingerprint: Type.String(),
    kind: Type.String(),
    reason: Type.String(),
  }),
});
