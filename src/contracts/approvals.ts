import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const approvalsEvents = defineEvents({
  'approval.requested': Type.Object({ approvalId: Type.String(), policy: Type.String() }),
  'approval.decided': Type.Object({
    approvalId: Type.String(),
    policy: Type.String(),
    granted: Type.Boolean(),
    reason: Type.String(),
  }),
});
