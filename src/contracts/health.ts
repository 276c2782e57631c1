import { type Static, Type } from 'typebox';
import { defineOperation } from './operation.ts';

export const Liveness = Type.Object({ status: Type.Literal('live') }, { $id: 'Liveness' });

export const Readiness = Type.Object(
  {
    status: Type.Enum(['ready', 'not_ready']),
    checks: Type.Array(
      Type.Object({
        name: Type.String(),
        ok: Type.Boolean(),
        message: Type.Optional(Type.String({ description: 'why not, and how to mend it' })),
      }),
    ),
  },
  { $id: 'Readiness' },
);
export type Readiness = Static<typeof Readiness>;

/** The process answers; restarting it would not help. */
export const getLiveness = defineOperation({
  id: 'health.live',
  method: 'GET',
  path: '/health/live',
  summary: 'Says that the process runs',
  permission: 'public',
  responses: { 200: Liveness },
});

/** The process can do its work; a balancer sends requests only then. */
export const getReadiness = defineOperation({
  id: 'health.ready',
  method: 'GET',
  path: '/health/ready',
  summary: 'Says whether the process can do its work, and what is missing',
  permission: 'public',
  responses: { 200: Readiness, 503: Readiness },
});
