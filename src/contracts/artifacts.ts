import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const artifactsEvents = defineEvents({
  'artifact.removed': Type.Object({ sha256: Type.String(), sizeBytes: Type.Integer() }),
});
