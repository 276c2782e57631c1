import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const platformEvents = defineEvents({
  'consumer.parked': Type.Object({
    consumer: Type.String(),
    event: Type.String(),
    eventSubject: Type.String(),
    error: Type.String(),
  }),
  // all that was parked of a subject has been handled
  'consumer.resumed': Type.Object({ consumer: Type.String(), eventSubject: Type.String() }),
});
