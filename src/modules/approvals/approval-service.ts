import { formatReference } from '#contracts/references';
import type { LineageApi } from '#modules/lineage';
import type { Reader, Unit } from '#platform/database';
import type { Principal } from '#platform/http';
import {
  type Approval,
  type ApprovalFilter,
  findApproval,
  findPolicy,
  insertApproval,
  listApprovalsBefore,
  listPending,
  listPolicies,
  markDecided,
  type Policy,
  upsertPolicy,
} from './approval-store.ts';
import { approvalErrors } from './approvals-errors.ts';

export interface ApprovalRequest {
  readonly project: string;
  /** Reference of what is to be approved: `promotion:<id>`. */
  readonly subject: string;
  /** Name of the policy: `risk`. */
  readonly policy: string;
  /** The subject in words: `pipeline train, step ask`. */
  readonly about?: string | undefined;
  /** What whoever decides is told. */
  readonly message?: string | undefined;
  /** Who wants it: the principal behind the request, not the loop that carries it. */
  readonly requestedBy: string;
}

export interface Decision {
  readonly project: string;
  readonly approvalId: string;
  readonly granted: boolean;
  readonly reason: string;
  readonly principal: Pick<Principal, 'id' | 'can'>;
}

/** Requests that a person grants or refuses, with four eyes: `pending` → `granted` | `refused` | `withdrawn`. */
export interface ApprovalsApi {
  /** Answers the request's id; asking again while one is pending answers that one. */
  request(unit: Unit, request: ApprovalRequest): Promise<string>;
  /** APPROVAL_NOT_FOUND, APPROVAL_DECIDED, APPROVAL_FORBIDDEN, SECOND_PERSON_REQUIRED. */
  decide(unit: Unit, decision: Decision): Promise<Approval>;
  /** Takes back what is pending for a subject that needs no decision any more. */
  withdraw(
    unit: Unit,
    what: { readonly project: string; readonly subject: string; readonly reason: string },
  ): Promise<void>;
  /** APPROVAL_NOT_FOUND. */
  get(reader: Reader, project: string, approvalId: string): Promise<Approval>;
  /** Newest first. */
  list(reader: Reader, filter: ApprovalFilter): Promise<readonly Approval[]>;
  setPolicy(unit: Unit, project: string, policy: Policy): Promise<void>;
  listPolicies(reader: Reader, project: string): Promise<readonly Policy[]>;
}

export function createApprovalService(lineage: Pick<LineageApi, 'record'>): ApprovalsApi {
  return {
    async request(unit, { project, subject, policy, about, message, requestedBy }) {
      const pending = (await listPending(unit, project, subject)).find((one) => one.policy === policy);
      if (pending !== undefined) return pending.id;
      const id = unit.newId();
      await insertApproval(unit, {
        id,
        project,
        subject,
        policy,
        about,
        message,
        state: 'pending',
        requestedBy,
        requestedMs: unit.nowMs,
        decidedBy: undefined,
        decidedMs: undefined,
        reason: undefined,
      });
      await unit.emit({ type: 'approval.requested', project, subject, data: { approvalId: id, policy } });
      return id;
    },

    async decide(unit, { project, approvalId, granted, reason, principal }) {
      const approval = await getApproval(unit, project, approvalId);
      if (approval.state !== 'pending') throw approvalErrors.APPROVAL_DECIDED(approvalId, approval.state);
      if (!principal.can('approve', project)) throw approvalErrors.APPROVAL_FORBIDDEN(principal.id, project);
      // Refusing one's own request takes it back; only granting needs the second pair of eyes.
      if (granted && principal.id === approval.requestedBy) {
        const policy = await findPolicy(unit, project, approval.policy);
        if (policy?.selfApproval !== true) throw approvalErrors.SECOND_PERSON_REQUIRED(principal.id, approval.policy);
      }
      const state = granted ? 'granted' : 'refused';
      if (!(await markDecided(unit, approvalId, { state, by: principal.id, reason })))
        throw approvalErrors.APPROVAL_DECIDED(approvalId, 'decided');
      const { subject, policy } = approval;
      if (granted)
        await lineage.record(unit, project, [
          { from: formatReference('approval', approvalId), to: subject, kind: 'approved' },
        ]);
      await unit.emit({ type: 'approval.decided', project, subject, data: { approvalId, policy, granted, reason } });
      return await getApproval(unit, project, approvalId);
    },

    async withdraw(unit, { project, subject, reason }) {
      for (const { id, policy } of await listPending(unit, project, subject)) {
        const withdrawn = { state: 'withdrawn', by: unit.context.actor, reason } as const;
        if (await markDecided(unit, id, withdrawn))
          await unit.emit({ type: 'approval.withdrawn', project, subject, data: { approvalId: id, policy } });
      }
    },

    get: getApproval,
    list: listApprovalsBefore,

    async setPolicy(unit, project, policy) {
      const known = await findPolicy(unit, project, policy.name);
      if (known?.selfApproval === policy.selfApproval) return;
      await upsertPolicy(unit, project, policy);
      await unit.emit({
        type: 'approval-policy.changed',
        project,
        subject: formatReference('project', project),
        data: { policy: policy.name, selfApproval: policy.selfApproval },
      });
    },

    listPolicies,
  };
}

async function getApproval(reader: Reader, project: string, approvalId: string): Promise<Approval> {
  const approval = await findApproval(reader, project, approvalId);
  if (approval === undefined) throw approvalErrors.APPROVAL_NOT_FOUND(approvalId);
  return approval;
}
