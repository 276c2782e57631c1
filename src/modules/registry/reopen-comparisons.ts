import { comparesWithChampion } from '#contracts/evaluation';
import { formatReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import { listOpenPromotions, reopenChecks } from './promotion-store.ts';
import type { RegistryDeps } from './registry-deps.ts';
import type { ModelRow } from './registry-tables.ts';
import type { Promotion } from './registry-types.ts';

export const approvalPrefix = 'approval:';

/**
 * The alias names another version: what is still open was compared with the one before. Those gates are decided anew, and
 * whoever was asked to approve, or has approved, on their evidence is asked again; in the unit that moves the alias, so that
 * nothing is completed on stale evidence.
 */
export async function reopenComparisons(
  { approvals }: Pick<RegistryDeps, 'approvals'>,
  unit: Unit,
  model: ModelRow,
  alias: string,
  to: number | undefined,
): Promise<void> {
  for (const promotion of await listOpenPromotions(unit, model.model_key, { alias })) {
    const checks = staleChecks(promotion);
    if (promotion.version === to || checks.length === 0) continue;
    const { project, promotionId, version } = promotion;
    const reason = to === undefined ? `${alias} names no version any more` : `${alias} is version ${to} now`;
    await approvals.withdraw(unit, { project, subject: formatReference('promotion', promotionId), reason });
    await reopenChecks(unit, promotionId, checks);
    await unit.emit({
      type: 'promotion.reopened',
      project,
      subject: formatReference('model', model.name, version),
      data: { promotionId, model: model.name, version, alias, checks: [...checks], reason },
    });
  }
}

/** Comparisons that are decided or put to a person, and with them every approval; nothing when there are none. */
function staleChecks({ checks }: Promotion): readonly string[] {
  const compared = checks.filter(
    ({ name, state, approvalId }) => comparesWithChampion(name) && (state !== 'pending' || approvalId !== undefined),
  );
  if (compared.length === 0) return [];
  return [...compared, ...checks.filter(({ name }) => name.startsWith(approvalPrefix))].map(({ name }) => name);
}
