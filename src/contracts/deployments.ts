import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const deploymentsEvents = defineEvents({
  'deployment.changed': Type.Object({ deployment: Type.String(), generation: Type.Integer() }),
  'deployment.spec.published': Type.Object({ pool: Type.String(), epoch: Type.String(), generation: Type.Integer() }),
  'deployment.revision.ready': Type.Object({ deployment: Type.String(), revision: Type.String() }),
  'deployment.revision.failed': Type.Object({
    deployment: Type.String(),
    revision: Type.String(),
    error: Type.String(),
  }),
});
