import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const predictionsEvents = defineEvents({
  'prediction.chunk.taken': Type.Object({
    endpoint: Type.String(),
    rows: Type.Integer(),
    requests: Type.Integer(),
    source: Type.String(),
    nextOffset: Type.Integer(),
  }),
  'truth.recorded': Type.Object({
    endpoint: Type.String(),
    matched: Type.Integer(),
    waiting: Type.Integer(),
    changed: Type.Integer(),
  }),
});
