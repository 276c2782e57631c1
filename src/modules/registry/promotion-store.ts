import type { Reader, Unit } from '#platform/database';
import { decodeCursor, encodeCursor, inList } from '#platform/sql';
import type { PromotionCheckRow, PromotionRow, PromotionState, RegistryTables } from './registry-tables.ts';
import type { Json, Promotion, PromotionCheck } from './registry-types.ts';

const promotionColumns = [
  'registry_promotions.promotion_id',
  'registry_promotions.project',
  'registry_promotions.model_key',
  'registry_promotions.version',
  'registry_promotions.alias',
  'registry_promotions.state',
  'registry_promotions.previous_version',
  'registry_promotions.reason',
  'registry_promotions.created_by',
  'registry_promotions.created_ms',
  'registry_promotions.ended_ms',
] as const;

const checkColumns = [
  'registry_promotion_checks.promotion_id',
  'registry_promotion_checks.check_name',
  'registry_promotion_checks.ordinal',
  'registry_promotion_checks.state',
  'registry_promotion_checks.verdict',
  'registry_promotion_checks.evidence',
  'registry_promotion_checks.approval_id',
  'registry_promotion_checks.decided_by',
  'registry_promotion_checks.decided_ms',
] as const;

function rowToCheck(row: PromotionCheckRow): PromotionCheck {
  return {
    name: row.check_name,
    state: row.state,
    verdict: row.verdict,
    evidence: row.evidence === null ? undefined : (JSON.parse(row.evidence) as Json),
    approvalId: row.approval_id ?? undefined,
    decidedBy: row.decided_by ?? undefined,
    decidedMs: row.decided_ms ?? undefined,
  };
}

function rowToPromotion(
  row: PromotionRow & { readonly name: string },
  checks: readonly PromotionCheckRow[],
): Promotion {
  return {
    promotionId: row.promotion_id,
    project: row.project,
    model: row.name,
    version: row.version,
    alias: row.alias,
    state: row.state,
    previousVersion: row.previous_version ?? undefined,
    reason: row.reason,
    createdBy: row.created_by,
    createdMs: row.created_ms,
    endedMs: row.ended_ms ?? undefined,
    checks: checks.filter((check) => check.promotion_id === row.promotion_id).map(rowToCheck),
  };
}

const selectPromotions = (reader: Reader) =>
  reader
    .query<RegistryTables>()
    .selectFrom('registry_promotions')
    .innerJoin('registry_models', 'registry_models.model_key', 'registry_promotions.model_key')
    .select([...promotionColumns, 'registry_models.name']);

async function withChecks(
  reader: Reader,
  rows: readonly (PromotionRow & { readonly name: string })[],
): Promise<Promotion[]> {
  if (rows.length === 0) return [];
  const checks = await reader
    .query<RegistryTables>()
    .selectFrom('registry_promotion_checks')
    .select(checkColumns)
    .where(
      inList(
        reader,
        'registry_promotion_checks.promotion_id',
        rows.map((row) => row.promotion_id),
      ),
    )
    .orderBy('registry_promotion_checks.ordinal')
    .execute();
  return rows.map((row) => rowToPromotion(row, checks));
}

export async function insertPromotion(unit: Unit, row: PromotionRow, checks: readonly string[]): Promise<void> {
  await unit.query<RegistryTables>().insertInto('registry_promotions').values(row).execute();
  if (checks.length === 0) return;
  await unit
    .query<RegistryTables>()
    .insertInto('registry_promotion_checks')
    .values(
      checks.map((check, ordinal) => ({
        promotion_id: row.promotion_id,
        check_name: check,
        ordinal,
        state: 'pending' as const,
        verdict: '',
        evidence: null,
        approval_id: null,
        decided_by: null,
        decided_ms: null,
      })),
    )
    .execute();
}

export async function findPromotion(
  reader: Reader,
  project: string,
  promotionId: string,
): Promise<Promotion | undefined> {
  const rows = await selectPromotions(reader)
    .where('registry_promotions.promotion_id', '=', promotionId)
    .where('registry_promotions.project', '=', project)
    .execute();
  const [found] = await withChecks(reader, rows);
  return found;
}

/** The newest promotion of a version to an alias, whatever became of it. */
export async function findLatestPromotion(
  reader: Reader,
  modelKey: string,
  version: number,
  alias: string,
): Promise<Promotion | undefined> {
  const rows = await selectPromotions(reader)
    .where('registry_promotions.model_key', '=', modelKey)
    .where('registry_promotions.version', '=', version)
    .where('registry_promotions.alias', '=', alias)
    .orderBy('registry_promotions.promotion_id', 'desc')
    .limit(1)
    .execute();
  const [found] = await withChecks(reader, rows);
  return found;
}

/** Promotions to an alias that are still open, apart from one. */
export async function listOpenPromotions(
  reader: Reader,
  modelKey: string,
  filter: { readonly alias?: string; readonly version?: number; readonly except?: string },
): Promise<Promotion[]> {
  let select = selectPromotions(reader)
    .where('registry_promotions.model_key', '=', modelKey)
    .where('registry_promotions.state', '=', 'open');
  if (filter.alias !== undefined) select = select.where('registry_promotions.alias', '=', filter.alias);
  if (filter.version !== undefined) select = select.where('registry_promotions.version', '=', filter.version);
  if (filter.except !== undefined) select = select.where('registry_promotions.promotion_id', '!=', filter.except);
  return withChecks(reader, await select.orderBy('registry_promotions.promotion_id').execute());
}

/** The checks that an approval decides: one, or every gate that waits for a person. */
export async function listChecksByApproval(
  reader: Reader,
  approvalId: string,
): Promise<readonly { readonly promotionId: string; readonly project: string; readonly check: string }[]> {
  const rows = await reader
    .query<RegistryTables>()
    .selectFrom('registry_promotion_checks')
    .innerJoin('registry_promotions', 'registry_promotions.promotion_id', 'registry_promotion_checks.promotion_id')
    .select([
      'registry_promotion_checks.promotion_id',
      'registry_promotion_checks.check_name',
      'registry_promotions.project',
    ])
    .where('registry_promotion_checks.approval_id', '=', approvalId)
    .orderBy('registry_promotion_checks.ordinal')
    .execute();
  return rows.map((row) => ({ promotionId: row.promotion_id, project: row.project, check: row.check_name }));
}

/** Ends a promotion that is in state `from`; false when it is not, and then nothing changes. */
export async function endPromotion(
  unit: Unit,
  promotionId: string,
  from: PromotionState,
  change: { readonly state: PromotionState; readonly reason: string; readonly previousVersion?: number | undefined },
): Promise<boolean> {
  const result = await unit
    .query<RegistryTables>()
    .updateTable('registry_promotions')
    .set({
      state: change.state,
      reason: change.reason,
      ended_ms: unit.nowMs,
      ...('previousVersion' in change && { previous_version: change.previousVersion ?? null }),
    })
    .where('registry_promotions.promotion_id', '=', promotionId)
    .where('registry_promotions.state', '=', from)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Records a decision on a check that waits for one; false when it was decided before. */
export async function decidePendingCheck(
  unit: Unit,
  promotionId: string,
  check: string,
  decision: {
    readonly satisfied: boolean;
    readonly verdict: string;
    readonly evidence: Json | undefined;
    readonly decidedBy: string;
  },
): Promise<boolean> {
  const result = await unit
    .query<RegistryTables>()
    .updateTable('registry_promotion_checks')
    .set({
      state: decision.satisfied ? 'satisfied' : 'refused',
      verdict: decision.verdict,
      evidence: decision.evidence === undefined ? null : JSON.stringify(decision.evidence),
      decided_by: decision.decidedBy,
      decided_ms: unit.nowMs,
    })
    .where('registry_promotion_checks.promotion_id', '=', promotionId)
    .where('registry_promotion_checks.check_name', '=', check)
    .where('registry_promotion_checks.state', '=', 'pending')
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Makes checks wait again, as if nothing had been decided. */
export async function reopenChecks(unit: Unit, promotionId: string, checks: readonly string[]): Promise<void> {
  await unit
    .query<RegistryTables>()
    .updateTable('registry_promotion_checks')
    .set({
      state: 'pending',
      verdict: '',
      evidence: null,
      approval_id: null,
      decided_by: null,
      decided_ms: null,
    })
    .where('registry_promotion_checks.promotion_id', '=', promotionId)
    .where(inList(unit, 'registry_promotion_checks.check_name', checks))
    .execute();
}

/** What is known of a check that goes on waiting, for a person now. */
export async function deferPendingCheck(
  unit: Unit,
  promotionId: string,
  check: string,
  what: { readonly verdict: string; readonly evidence: Json | undefined; readonly approvalId: string },
): Promise<void> {
  await unit
    .query<RegistryTables>()
    .updateTable('registry_promotion_checks')
    .set({
      verdict: what.verdict,
      evidence: what.evidence === undefined ? null : JSON.stringify(what.evidence),
      approval_id: what.approvalId,
    })
    .where('registry_promotion_checks.promotion_id', '=', promotionId)
    .where('registry_promotion_checks.check_name', '=', check)
    .where('registry_promotion_checks.state', '=', 'pending')
    .execute();
}

export async function setCheckApproval(
  unit: Unit,
  promotionId: string,
  check: string,
  approvalId: string,
): Promise<void> {
  await unit
    .query<RegistryTables>()
    .updateTable('registry_promotion_checks')
    .set({ approval_id: approvalId })
    .where('registry_promotion_checks.promotion_id', '=', promotionId)
    .where('registry_promotion_checks.check_name', '=', check)
    .execute();
}

/** True when promotions have ever governed this alias of the model. */
export async function isAliasGoverned(reader: Reader, modelKey: string, alias: string): Promise<boolean> {
  const row = await reader
    .query<RegistryTables>()
    .selectFrom('registry_promotions')
    .select('registry_promotions.promotion_id')
    .where('registry_promotions.model_key', '=', modelKey)
    .where('registry_promotions.alias', '=', alias)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Promotions of a project, newest first. */
export async function listPromotions(
  reader: Reader,
  project: string,
  filter: {
    readonly model?: string | undefined;
    readonly state?: PromotionState | undefined;
    readonly limit: number;
    readonly cursor?: string | undefined;
  },
): Promise<{ readonly items: readonly Promotion[]; readonly next?: string }> {
  let select = selectPromotions(reader).where('registry_promotions.project', '=', project);
  if (filter.model !== undefined) select = select.where('registry_models.name', '=', filter.model);
  if (filter.state !== undefined) select = select.where('registry_promotions.state', '=', filter.state);
  if (filter.cursor !== undefined)
    select = select.where('registry_promotions.promotion_id', '<', String(decodeCursor(filter.cursor)[0]));
  const rows = await select
    .orderBy('registry_promotions.promotion_id', 'desc')
    .limit(filter.limit + 1)
    .execute();
  const items = await withChecks(reader, rows.slice(0, filter.limit));
  const last = items.at(-1);
  return { items, ...(rows.length > filter.limit && last && { next: encodeCursor([last.promotionId]) }) };
}
