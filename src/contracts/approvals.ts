import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';
import { namePattern } from './references.ts';

export const approvalsEvents = defineEvents({
  'approval.requested': Type.Object({ approvalId: Type.String(), policy: Type.String() }),
  'approval.decided': Type.Object({
    approvalId: Type.String(),
    policy: Type.String(),
    granted: Type.Boolean(),
    reason: Type.String(),
  }),
  'approval.withdrawn': Type.Object({ approvalId: Type.String(), policy: Type.String() }),
  'approval-policy.changed': Type.Object({ policy: Type.String(), selfApproval: Type.Boolean() }),
});

export const ApprovalState = Type.Enum(['pending', 'granted', 'refused', 'withdrawn']);
export type ApprovalState = Static<typeof ApprovalState>;

const Approval = Type.Object({
  id: Type.String(),
  subject: Type.String({ description: 'reference of what is to be approved' }),
  policy: Type.String(),
  about: Type.Optional(Type.String({ description: 'the subject in words: pipeline train, step ask' })),
  message: Type.Optional(Type.String({ description: 'what whoever asks tells whoever decides' })),
  state: ApprovalState,
  requestedBy: Type.String(),
  requestedAt: Type.String({ format: 'date-time' }),
  decidedBy: Type.Optional(Type.String()),
  decidedAt: Type.Optional(Type.String({ format: 'date-time' })),
  reason: Type.Optional(Type.String()),
});
export type ApprovalView = Static<typeof Approval>;

const params = Type.Object({ approvalId: Type.String({ minLength: 1, maxLength: 100 }) });

export const listApprovals = defineOperation({
  id: 'approvals.list',
  method: 'GET',
  path: '/api/v1/approvals',
  summary: 'List requests for approval, newest first.',
  permission: 'read',
  query: Type.Object(
    { ...pageFields, state: Type.Optional(ApprovalState), subject: Type.Optional(Type.String({ maxLength: 400 })) },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(Approval) },
});

export const getApproval = defineOperation({
  id: 'approvals.get',
  method: 'GET',
  path: '/api/v1/approvals/:approvalId',
  summary: 'Show one request for approval and how it was decided.',
  permission: 'read',
  params,
  responses: { 200: Approval, 404: ErrorBody },
  errors: ['APPROVAL_NOT_FOUND'],
});

export const decideApproval = defineOperation({
  id: 'approvals.decide',
  method: 'POST',
  path: '/api/v1/approvals/:approvalId/decision',
  summary: 'Grant or refuse, with a reason. Whoever asked may not grant, unless the policy lets them.',
  permission: 'approve',
  params,
  body: Type.Object(
    { granted: Type.Boolean(), reason: Type.String({ minLength: 1, maxLength: 2000 }) },
    { additionalProperties: false },
  ),
  responses: { 200: Approval, 403: ErrorBody, 404: ErrorBody, 409: ErrorBody },
  errors: ['APPROVAL_NOT_FOUND', 'APPROVAL_DECIDED', 'SECOND_PERSON_REQUIRED'],
});

const ApprovalPolicy = Type.Object({
  name: Type.String(),
  selfApproval: Type.Boolean({ description: 'whether whoever asked may grant it' }),
});

export const listApprovalPolicies = defineOperation({
  id: 'approval-policies.list',
  method: 'GET',
  path: '/api/v1/approval-policies',
  summary: 'List the policies that were set. One that was not asks for a second person.',
  permission: 'read',
  responses: { 200: Type.Object({ items: Type.Array(ApprovalPolicy) }) },
});

export const setApprovalPolicy = defineOperation({
  id: 'approval-policies.set',
  method: 'PUT',
  path: '/api/v1/approval-policies/:name',
  summary: 'Set a policy: whether whoever asked may grant.',
  permission: 'admin',
  params: Type.Object({ name: Type.String({ pattern: namePattern }) }),
  body: Type.Object(
    { selfApproval: Type.Boolean({ description: 'whoever asked may grant it too' }) },
    { additionalProperties: false },
  ),
  responses: { 200: ApprovalPolicy },
});
