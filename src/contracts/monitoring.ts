import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const monitoringEvents = defineEvents({
  'window.closed': Type.Object({
    monitor: Type.String(),
    windowId: Type.String(),
    startMs: Type.Integer(),
    endMs: Type.Integer(),
    predictions: Type.Integer(),
    labelled: Type.Integer(),
  }),
});
