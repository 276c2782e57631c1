import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const pipelinesEvents = defineEvents({
  'pipeline.run.queued': Type.Object({ runId: Type.String(), pipeline: Type.String(), trigger: Type.String() }),
  'pipeline.run.started': Type.Object({ runId: Type.String(), pipeline: Type.String() }),
  'pipeline.run.finished': Type.Object({ runId: Type.String(), pipeline: Type.String(), state: Type.String() }),
  'step.finished': Type.Object({
    runId: Type.String(),
    pipeline: Type.String(),
    step: Type.String(),
    state: Type.String(),
  }),
  'step.waiting': Type.Object({
    runId: Type.String(),
    pipeline: Type.String(),
    step: Type.String(),
    use: Type.String(),
    with: Type.Unknown(),
    token: Type.String(),
  }),
});
