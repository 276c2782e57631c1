import { sql } from 'kysely';
import type { ApprovalState } from '#contracts/approvals';
import type { Reader, Unit } from '#platform/database';
import { fromBit, toBit } from '#platform/sql';
import type { ApprovalsTables } from './approvals-tables.ts';

export interface Approval {
  readonly id: string;
  readonly project: string;
  /** Reference of what is to be approved. */
  readonly subject: string;
  readonly policy: string;
  /** The subject in words. */
  readonly about: string | undefined;
  /** For whoever decides. */
  readonly message: string | undefined;
  readonly state: ApprovalState;
  readonly requestedBy: string;
  readonly requestedMs: number;
  readonly decidedBy: string | undefined;
  readonly decidedMs: number | undefined;
  readonly reason: string | undefined;
}

export interface Policy {
  readonly name: string;
  /** Whether whoever asked may grant. */
  readonly selfApproval: boolean;
}

const rowToApproval = (row: ApprovalsTables['approvals']): Approval => ({
  id: row.id,
  project: row.project,
  subject: row.subject,
  policy: row.policy,
  about: row.about ?? undefined,
  message: row.message ?? undefined,
  state: row.state,
  requestedBy: row.requested_by,
  requestedMs: row.requested_ms,
  decidedBy: row.decided_by ?? undefined,
  decidedMs: row.decided_ms ?? undefined,
  reason: row.reason ?? undefined,
});

const select = (reader: Reader, project: string) =>
  reader
    .query<ApprovalsTables>()
    .selectFrom('approvals')
    .select([
      'approvals.id',
      'approvals.project',
      'approvals.subject',
      'approvals.policy',
      'approvals.about',
      'approvals.message',
      'approvals.state',
      'approvals.requested_by',
      'approvals.requested_ms',
      'approvals.decided_by',
      'approvals.decided_ms',
      'approvals.reason',
    ])
    .where('approvals.project', '=', project);

/**
 * Against a pending request for the same nothing is inserted. It cannot be there, for the unit has looked; one that
 * another unit has just committed makes PostgreSQL refuse the conflict clause, and the unit is run again.
 */
export async function insertApproval(unit: Unit, approval: Approval): Promise<void> {
  await unit
    .query<ApprovalsTables>()
    .insertInto('approvals')
    .values({
      id: approval.id,
      project: approval.project,
      subject: approval.subject,
      policy: approval.policy,
      about: approval.about ?? null,
      message: approval.message ?? null,
      state: approval.state,
      requested_by: approval.requestedBy,
      requested_ms: approval.requestedMs,
      decided_by: null,
      decided_ms: null,
      reason: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['project', 'subject', 'policy']).where(sql<boolean>`state = 'pending'`).doNothing(),
    )
    .execute();
}

export async function findApproval(reader: Reader, project: string, id: string): Promise<Approval | undefined> {
  const row = await select(reader, project).where('approvals.id', '=', id).executeTakeFirst();
  return row && rowToApproval(row);
}

export async function listPending(reader: Reader, project: string, subject: string): Promise<readonly Approval[]> {
  const rows = await select(reader, project)
    .where('approvals.subject', '=', subject)
    .where('approvals.state', '=', 'pending')
    .orderBy('approvals.id')
    .execute();
  return rows.map(rowToApproval);
}

export interface ApprovalFilter {
  readonly project: string;
  readonly state?: ApprovalState;
  readonly subject?: string;
  readonly beforeId?: string;
  readonly limit: number;
}

/** Newest first: ids grow with time. */
export async function listApprovalsBefore(reader: Reader, filter: ApprovalFilter): Promise<readonly Approval[]> {
  let query = select(reader, filter.project).orderBy('approvals.id', 'desc').limit(filter.limit);
  if (filter.state !== undefined) query = query.where('approvals.state', '=', filter.state);
  if (filter.subject !== undefined) query = query.where('approvals.subject', '=', filter.subject);
  if (filter.beforeId !== undefined) query = query.where('approvals.id', '<', filter.beforeId);
  return (await query.execute()).map(rowToApproval);
}

/** pending → decided; false when it was not pending any more. */
export async function markDecided(
  unit: Unit,
  id: string,
  decision: { readonly state: ApprovalState; readonly by: string; readonly reason: string },
): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<ApprovalsTables>()
    .updateTable('approvals')
    .set({ state: decision.state, decided_by: decision.by, decided_ms: unit.nowMs, reason: decision.reason })
    .where('approvals.id', '=', id)
    .where('approvals.state', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function findPolicy(reader: Reader, project: string, name: string): Promise<Policy | undefined> {
  const row = await selectPolicies(reader, project).where('approval_policies.name', '=', name).executeTakeFirst();
  return row && { name: row.name, selfApproval: fromBit(row.self_approval) };
}

export async function listPolicies(reader: Reader, project: string): Promise<readonly Policy[]> {
  const rows = await selectPolicies(reader, project).orderBy('approval_policies.name').execute();
  return rows.map((row) => ({ name: row.name, selfApproval: fromBit(row.self_approval) }));
}

export async function upsertPolicy(unit: Unit, project: string, { name, selfApproval }: Policy): Promise<void> {
  const changed = { self_approval: toBit(selfApproval) };
  await unit
    .query<ApprovalsTables>()
    .insertInto('approval_policies')
    .values({ project, name, ...changed })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(changed))
    .execute();
}

const selectPolicies = (reader: Reader, project: string) =>
  reader
    .query<ApprovalsTables>()
    .selectFrom('approval_policies')
    .select(['approval_policies.name', 'approval_policies.self_approval'])
    .where('approval_policies.project', '=', project);
