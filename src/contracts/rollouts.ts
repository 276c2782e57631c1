import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const rolloutsEvents = defineEvents({
  'rollout.started': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    from: Type.Optional(Type.String()),
    to: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
  }),
  'rollout.advanced': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    step: Type.Integer(),
    percent: Type.Integer(),
    evidence: Type.Unknown(),
  }),
  'rollout.completed': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    revision: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
  }),
  'rollout.aborted': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    revision: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    reason: Type.String(),
  }),
});
