import { Type } from 'typebox';
import { defineOperation } from './operation.ts';

export const waitUntilQuiet = defineOperation({
  id: 'events.quiet',
  method: 'GET',
  path: '/api/v1/quiet',
  summary: 'Wait until everything that followed from earlier requests is done: events handled, jobs ended.',
  permission: 'read',
  query: Type.Object(
    { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 300, default: 60, description: 'seconds' })) },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({
      quiet: Type.Boolean({ description: 'false: the time was over before' }),
      openJobs: Type.Integer(),
    }),
  },
});
