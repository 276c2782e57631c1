import type { FastifyInstance } from 'fastify';
import {
  type ApprovalView,
  decideApproval,
  getApproval,
  listApprovalPolicies,
  listApprovals,
  setApprovalPolicy,
} from '#contracts/approvals';
import { defaultPageLimit } from '#contracts/page';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import type { ApprovalsApi } from './approval-service.ts';
import type { Approval } from './approval-store.ts';

const toView = (approval: Approval): ApprovalView => ({
  id: approval.id,
  subject: approval.subject,
  policy: approval.policy,
  ...(approval.about !== undefined && { about: approval.about }),
  ...(approval.message !== undefined && { message: approval.message }),
  state: approval.state,
  requestedBy: approval.requestedBy,
  requestedAt: new Date(approval.requestedMs).toISOString(),
  ...(approval.decidedBy !== undefined && { decidedBy: approval.decidedBy }),
  ...(approval.decidedMs !== undefined && { decidedAt: new Date(approval.decidedMs).toISOString() }),
  ...(approval.reason !== undefined && { reason: approval.reason }),
});

export function registerApprovalRoutes(
  app: FastifyInstance,
  { database, api }: { readonly database: Database; readonly api: ApprovalsApi },
): void {
  registerOperation(app, listApprovals, async ({ query, context }, answer) => {
    const { limit = defaultPageLimit, cursor, ...filter } = query;
    const page = await api.list(database.read, {
      ...filter,
      project: context.project,
      ...(cursor !== undefined && { beforeId: String(decodeCursor(cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.id]);
    return answer(200, { items: shown.map(toView), ...more });
  });

  registerOperation(app, getApproval, async ({ params, context }, answer) =>
    answer(200, toView(await api.get(database.read, context.project, params.approvalId))),
  );

  registerOperation(app, decideApproval, async ({ params, body, context }, answer) => {
    const { project, principal } = context;
    const approval = await database.write(context.write, (unit) =>
      api.decide(unit, { project, principal, approvalId: params.approvalId, ...body }),
    );
    return answer(200, toView(approval));
  });

  registerOperation(app, listApprovalPolicies, async ({ context }, answer) =>
    answer(200, { items: [...(await api.listPolicies(database.read, context.project))] }),
  );

  registerOperation(app, setApprovalPolicy, async ({ params, body, context }, answer) => {
    const policy = { name: params.name, selfApproval: body.selfApproval };
    await database.write(context.write, (unit) => api.setPolicy(unit, context.project, policy));
    return answer(200, policy);
  });
}
