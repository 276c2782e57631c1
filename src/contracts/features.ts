import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const featuresEvents = defineEvents({
  'feature-view.changed': Type.Object({ view: Type.String(), generation: Type.Integer() }),
});
