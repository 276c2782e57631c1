import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const automationEvents = defineEvents({
  'trigger.fired': Type.Object({
    trigger: Type.String(),
    causeSubject: Type.String(),
    action: Type.String(),
    result: Type.String(),
  }),
  'trigger.suppressed': Type.Object({ trigger: Type.String(), causeSubject: Type.String(), reason: Type.String() }),
});
