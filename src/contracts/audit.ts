import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { EventOnWire } from './event-operations.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

export const auditEvents = defineEvents({
  'request.denied': Type.Object({
    operation: Type.String(),
    permission: Type.String(),
    requestId: Type.String({ description: 'of the first of them' }),
    count: Type.Integer({ description: 'how many within a minute; the first is told at once' }),
  }),
  'request.read': Type.Object({ operation: Type.String(), requestId: Type.String() }),
});

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });

const AuditEntry = Type.Object({
  event: EventOnWire,
  seal: Type.Optional(
    Type.Object({ sequence: Type.Integer(), hash: Hash }, { description: 'absent for a moment after the event' }),
  ),
});
export type AuditEntryView = Static<typeof AuditEntry>;

/** Every event of the project with its seal, one JSON object a line, oldest first. A raw route. */
export const auditExportPath = '/api/v1/audit/export';

export const listAudit = defineOperation({
  id: 'audit.list',
  method: 'GET',
  path: '/api/v1/audit',
  summary: 'List the audit log of the project, newest first: every event, denied and sensitive request, with its seal.',
  permission: 'admin',
  query: Type.Object(
    {
      ...pageFields,
      type: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 100 })),
      subject: Type.Optional(Type.String({ maxLength: 400 })),
      actor: Type.Optional(Type.String({ maxLength: 200 })),
    },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(AuditEntry) },
});

export const verifyAudit = defineOperation({
  id: 'audit.verify',
  method: 'GET',
  path: '/api/v1/audit/verify',
  summary: 'Check that no sealed event was changed, removed or slipped in. Needs the admin role for all projects.',
  permission: 'admin',
  query: Type.Object(
    {
      sequence: Type.Optional(Type.Integer({ minimum: 1, description: 'a seal that was noted down elsewhere …' })),
      hash: Type.Optional(Hash),
    },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({
      ok: Type.Boolean(),
      checked: Type.Integer({ description: 'events whose seal was computed again' }),
      head: Type.Optional(
        Type.Object(
          { sequence: Type.Integer(), hash: Hash },
          { description: 'the newest seal: note it down outside, and give it to a later check' },
        ),
      ),
      problem: Type.Optional(
        Type.Object({
          kind: Type.Enum(['changed', 'removed', 'inserted', 'chain', 'anchor']),
          sequence: Type.Integer(),
          eventId: Type.String(),
          message: Type.String(),
        }),
      ),
    }),
    403: ErrorBody,
  },
});
export type AuditVerdict = Static<(typeof verifyAudit)['responses'][200]>;
