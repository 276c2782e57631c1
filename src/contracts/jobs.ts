import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const jobsEvents = defineEvents({
  'job.finished': Type.Object({ jobId: Type.String(), owner: Type.String(), outcome: Type.String() }),
});
