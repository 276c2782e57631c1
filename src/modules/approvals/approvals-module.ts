import type { FastifyInstance } from 'fastify';
import type { LineageApi } from '#modules/lineage';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { registerApprovalRoutes } from './approval-routes.ts';
import { type ApprovalsApi, createApprovalService } from './approval-service.ts';

export interface ApprovalsDeps {
  readonly database: Database;
  readonly lineage: Pick<LineageApi, 'record'>;
}

export interface ApprovalsModule {
  readonly id: 'approvals';
  readonly api: ApprovalsApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

export function createApprovalsModule({ database, lineage }: ApprovalsDeps): ApprovalsModule {
  const api = createApprovalService(lineage);
  return { id: 'approvals', api, consumers: [], routes: (app) => registerApprovalRoutes(app, { database, api }) };
}
