import { gateOverridePolicy } from '#contracts/evaluation';
import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { moveAlias } from './alias-service.ts';
import { findAliasRow } from './alias-store.ts';
import { ensureModel } from './model-service.ts';
import { findModelRow, updateModel } from './model-store.ts';
import {
  decidePendingCheck,
  deferPendingCheck,
  endPromotion,
  findLatestPromotion,
  findPromotion,
  insertPromotion,
  listChecksByApproval,
  listOpenPromotions,
  setCheckApproval,
} from './promotion-store.ts';
import type { RegistryDeps } from './registry-deps.ts';
import { registryErrors } from './registry-errors.ts';
import type { Json, Promotion, PromotionCheck, Proposal, ProposedVersion } from './registry-types.ts';
import { approvalPrefix } from './reopen-comparisons.ts';
import { tellOfVersion } from './version-service.ts';
import { findVersionRow, findVersionRowByDigest, insertVersion } from './version-store.ts';

/*
 * A promotion moves an alias to a version once every required check is satisfied:
 *
 *   open ── last check satisfied ──► completed ── revert ──► rolled-back
 *     └──── a check refused, the version deleted, or a newer version promoted ──► rejected
 *
 * The alias moves in the unit that satisfies the last check. Approvals are asked for once everything else is
 * satisfied, so that an approver sees the evidence. When the alias moves meanwhile, comparisons with what it named wait
 * again, and approvals with them (`reopen-comparisons.ts`). A gate that numbers cannot decide stays open until a person
 * has decided it, under the policy `gate-override`.
 */
interface CheckDecision {
  readonly project: string;
  readonly promotionId: string;
  readonly check: string;
  readonly satisfied: boolean;
  /** One word or sentence for people: `pass`, `first`, `fail`. */
  readonly verdict: string;
  readonly evidence?: Json | undefined;
  /** The person behind the decision when a loop carries it; default the unit's actor. */
  readonly decidedBy?: string | undefined;
}

export interface PromotionService {
  proposeVersion(unit: Unit, proposal: Proposal): Promise<ProposedVersion>;
  decideCheck(unit: Unit, decision: CheckDecision): Promise<Promotion>;
  /** Numbers cannot decide a check: it stays open until a person grants or refuses it, with this evidence before them. */
  deferCheck(unit: Unit, deferral: Omit<CheckDecision, 'satisfied' | 'decidedBy'>): Promise<void>;
  revertPromotion(
    unit: Unit,
    input: { readonly project: string; readonly promotionId: string; readonly reason: string },
  ): Promise<Promotion>;
  /** Rejects what is open for a version that goes away. */
  rejectOpen(unit: Unit, project: string, model: string, version: number, reason: string): Promise<void>;
  decideApproval(
    unit: Unit,
    decision: {
      readonly approvalId: string;
      readonly granted: boolean;
      readonly reason: string;
      readonly decidedBy: string;
    },
  ): Promise<void>;
}

async function getPromotion(reader: Reader, project: string, promotionId: string): Promise<Promotion> {
  const promotion = await findPromotion(reader, project, promotionId);
  if (promotion === undefined) throw registryErrors.PROMOTION_NOT_FOUND(promotionId);
  return promotion;
}

async function modelOf(reader: Reader, project: string, name: string) {
  const model = await findModelRow(reader, project, name);
  if (model === undefined) throw registryErrors.MODEL_NOT_FOUND(name);
  return model;
}

export function createPromotionService({ approvals, artifacts, lineage, ids }: RegistryDeps): PromotionService {
  async function reject(unit: Unit, promotion: Promotion, reason: string): Promise<void> {
    if (!(await endPromotion(unit, promotion.promotionId, 'open', { state: 'rejected', reason }))) return;
    const { project, promotionId } = promotion;
    if (promotion.checks.some((check) => check.approvalId !== undefined && check.state === 'pending'))
      await approvals.withdraw(unit, { project, subject: formatReference('promotion', promotionId), reason });
    await unit.emit({
      type: 'promotion.rejected',
      project: promotion.project,
      subject: formatReference('model', promotion.model, promotion.version),
      data: {
        promotionId: promotion.promotionId,
        model: promotion.model,
        version: promotion.version,
        alias: promotion.alias,
        reason,
      },
    });
  }

  async function complete(unit: Unit, promotion: Promotion): Promise<void> {
    const { project, promotionId, version, alias } = promotion;
    const model = await modelOf(unit, project, promotion.model);
    const before = await findAliasRow(unit, model.model_key, alias);
    const ended = await endPromotion(unit, promotionId, 'open', {
      state: 'completed',
      reason: '',
      previousVersion: before?.version,
    });
    if (!ended) return;
    // An older proposal that is decided later must not take the alias back.
    for (const other of await listOpenPromotions(unit, model.model_key, { alias, except: promotionId }))
      if (other.version < version) await reject(unit, other, `version ${version} was promoted first`);
    await lineage.record(unit, project, [
      {
        from: formatReference('model', model.name, version),
        to: formatReference('promotion', promotionId),
        kind: 'promoted',
      },
    ]);
    await unit.emit({
      type: 'promotion.completed',
      project,
      subject: formatReference('model', model.name, version),
      data: { promotionId, model: model.name, version, alias },
    });
    await moveAlias({ approvals }, unit, model, alias, version, 'promoted', promotionId);
  }

  /** Takes an open promotion as far as its checks allow. */
  async function advance(unit: Unit, promotion: Promotion): Promise<void> {
    const refused = promotion.checks.find((check) => check.state === 'refused');
    if (refused) return reject(unit, promotion, `${refused.name}: ${refused.verdict}`);
    const pending = promotion.checks.filter((check) => check.state === 'pending');
    if (pending.length === 0) return complete(unit, promotion);
    if (!pending.every((check) => check.name.startsWith(approvalPrefix))) return;
    for (const check of pending) if (check.approvalId === undefined) await requestApproval(unit, promotion, check);
  }

  async function requestApproval(unit: Unit, promotion: Promotion, check: PromotionCheck): Promise<void> {
    const approvalId = await approvals.request(unit, {
      project: promotion.project,
      subject: formatReference('promotion', promotion.promotionId),
      policy: check.name.slice(approvalPrefix.length),
      requestedBy: promotion.createdBy,
    });
    await setCheckApproval(unit, promotion.promotionId, check.name, approvalId);
  }

  async function openPromotion(unit: Unit, modelKey: string, proposal: Proposal, version: number): Promise<string> {
    const { project, model, alias, digest } = proposal;
    const promotionId = ids.next();
    await insertPromotion(
      unit,
      {
        promotion_id: promotionId,
        project,
        model_key: modelKey,
        version,
        alias,
        state: 'open',
        previous_version: null,
        reason: '',
        created_by: proposal.requestedBy ?? unit.context.actor,
        created_ms: unit.nowMs,
        ended_ms: null,
      },
      [...new Set(proposal.checks)],
    );
    await unit.emit({
      type: 'model.version.proposed',
      project,
      subject: formatReference('model', model, version),
      data: { model, version, promotionId, alias, digest },
    });
    await advance(unit, await getPromotion(unit, project, promotionId));
    return promotionId;
  }

  async function createVersion(unit: Unit, modelKey: string, version: number, proposal: Proposal): Promise<void> {
    const { project, model, files } = proposal;
    await insertVersion(
      unit,
      {
        model_key: modelKey,
        version,
        digest: proposal.digest,
        runtime: proposal.runtime,
        signature: proposal.signature === undefined ? null : JSON.stringify(proposal.signature),
        predicts: proposal.predicts === undefined ? null : JSON.stringify(proposal.predicts),
        train_ref: proposal.trainRef ?? null,
        test_ref: proposal.testRef ?? null,
        run_ref: proposal.runRef ?? null,
        tracking_run_id: proposal.trackingRunId ?? null,
        logged_model_id: null,
        source: '',
        storage_location: '',
        run_link: '',
        description: '',
        stage: 'None',
        created_by: proposal.requestedBy ?? unit.context.actor,
        created_ms: unit.nowMs,
        updated_ms: unit.nowMs,
        deleted_ms: null,
      },
      files,
    );
    await updateModel(unit, modelKey, { last_version: version, updated_ms: unit.nowMs });
    const reference = formatReference('model', model, version);
    for (const { path, sha256, sizeBytes } of files)
      await artifacts.retain(unit, { project, sha256, sizeBytes, owner: reference, name: path });
    const sources = [
      { from: proposal.trainRef, kind: 'trained-on' },
      { from: proposal.testRef, kind: 'tested-on' },
      { from: proposal.runRef, kind: 'produced' },
      {
        from:
          proposal.trackingRunId === undefined ? undefined : formatReference('tracking-run', proposal.trackingRunId),
        kind: 'produced',
      },
    ];
    await lineage.record(
      unit,
      project,
      sources.flatMap(({ from, kind }) => (from === undefined ? [] : [{ from, to: reference, kind }])),
    );
  }

  const service: PromotionService = {
    async proposeVersion(unit, proposal) {
      const model = await ensureModel(unit, ids, proposal);
      const existing = await findVersionRowByDigest(unit, model.model_key, proposal.digest);
      if (existing === undefined) {
        const version = model.last_version + 1;
        await createVersion(unit, model.model_key, version, proposal);
        await tellOfVersion(unit, model, version);
        const promotionId = await openPromotion(unit, model.model_key, proposal, version);
        return { version, promotionId, existed: false };
      }
      const { version } = existing;
      const known = await findLatestPromotion(unit, model.model_key, version, proposal.alias);
      if (known?.state === 'open') return { version, promotionId: known.promotionId, existed: true };
      // Decided before, whichever way: what was refused or rolled back does not come again by itself.
      if (known !== undefined) return { version, existed: true };
      return { version, promotionId: await openPromotion(unit, model.model_key, proposal, version), existed: true };
    },

    async decideCheck(unit, { project, promotionId, check, satisfied, verdict, evidence, decidedBy }) {
      const promotion = await getPromotion(unit, project, promotionId);
      const found = promotion.checks.find(({ name }) => name === check);
      if (found === undefined)
        throw registryErrors.PROMOTION_CHECK_UNKNOWN(
          promotionId,
          check,
          promotion.checks.map(({ name }) => name).join(', ') || 'nothing',
        );
      // A second decision changes nothing: the first one stands with its evidence.
      const decision = { satisfied, verdict, evidence, decidedBy: decidedBy ?? unit.context.actor };
      if (!(await decidePendingCheck(unit, promotionId, check, decision))) return promotion;
      await unit.emit({
        type: 'promotion.check.decided',
        project,
        subject: formatReference('model', promotion.model, promotion.version),
        data: { promotionId, model: promotion.model, version: promotion.version, check, satisfied, verdict },
      });
      if (promotion.state === 'open') await advance(unit, await getPromotion(unit, project, promotionId));
      return getPromotion(unit, project, promotionId);
    },

    async deferCheck(unit, { project, promotionId, check, verdict, evidence }) {
      const promotion = await getPromotion(unit, project, promotionId);
      if (promotion.state !== 'open') return;
      const approvalId = await approvals.request(unit, {
        project,
        subject: formatReference('promotion', promotionId),
        policy: gateOverridePolicy,
        requestedBy: promotion.createdBy,
      });
      await deferPendingCheck(unit, promotionId, check, { verdict, evidence, approvalId });
    },

    async revertPromotion(unit, { project, promotionId, reason }) {
      const promotion = await getPromotion(unit, project, promotionId);
      if (promotion.state === 'rolled-back') return promotion;
      const { model: name, version, alias, previousVersion } = promotion;
      if (!(await endPromotion(unit, promotionId, 'completed', { state: 'rolled-back', reason })))
        throw registryErrors.PROMOTION_STATE_CONFLICT(promotionId, promotion.state, 'completed');
      await unit.emit({
        type: 'promotion.rolled-back',
        project,
        subject: formatReference('model', name, version),
        data: { promotionId, model: name, version, alias, reason },
      });
      const model = await modelOf(unit, project, name);
      // Somebody may have moved the alias since: then it is not ours to return.
      if ((await findAliasRow(unit, model.model_key, alias))?.version === version) {
        const previous =
          previousVersion === undefined ? undefined : await findVersionRow(unit, model.model_key, previousVersion);
        await moveAlias({ approvals }, unit, model, alias, previous?.version, 'rolled-back', promotionId);
      }
      return getPromotion(unit, project, promotionId);
    },

    async rejectOpen(unit, project, name, version, reason) {
      const model = await modelOf(unit, project, name);
      for (const promotion of await listOpenPromotions(unit, model.model_key, { version }))
        await reject(unit, promotion, reason);
    },

    async decideApproval(unit, { approvalId, granted, reason, decidedBy }) {
      // None: a request of another module.
      for (const { project, promotionId, check } of await listChecksByApproval(unit, approvalId)) {
        const before = (await getPromotion(unit, project, promotionId)).checks.find(({ name }) => name === check);
        await service.decideCheck(unit, {
          project,
          promotionId,
          check,
          satisfied: granted,
          verdict: granted ? 'granted' : 'refused',
          evidence: { approvalId, reason, ...(before?.evidence !== undefined && { before: before.evidence }) },
          decidedBy,
        });
      }
    },
  };
  return service;
}
