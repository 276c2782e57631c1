import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const trackingEvents = defineEvents({
  'tracking-run.started': Type.Object({ runId: Type.String(), experimentId: Type.String() }),
  'tracking-run.finished': Type.Object({ runId: Type.String(), status: Type.String() }),
  'logged-model.ready': Type.Object({ modelId: Type.String(), runId: Type.Optional(Type.String()) }),
});
