import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const evaluationEvents = defineEvents({
  'gate.decided': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    verdict: Type.String(),
    n: Type.Integer(),
  }),
});
