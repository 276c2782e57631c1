export type { ApprovalRequest, ApprovalsApi, Decision } from './approval-service.ts';
export type { Approval, ApprovalFilter, Policy } from './approval-store.ts';
export { type ApprovalsDeps, type ApprovalsModule, createApprovalsModule } from './approvals-module.ts';
