import { formatReference } from '#contracts/references';
import type { AliasMoveReason } from '#contracts/registry';
import type { Unit } from '#platform/database';
import { deleteAlias, findAliasRow, putAlias } from './alias-store.ts';
import { promptFact } from './prompt-rule.ts';
import type { RegistryDeps } from './registry-deps.ts';
import type { ModelRow } from './registry-tables.ts';
import { reopenComparisons } from './reopen-comparisons.ts';

const reserved = /^(?:latest|v\d+)$/i;

/** `latest` and `v4` would read as "the newest" and "version 4" wherever an alias may stand. */
export function isAlias(text: string): boolean {
  return /^[\w-]{1,255}$/.test(text) && !reserved.test(text);
}

/** Moves, sets or (with `to` undefined) removes an alias, and says so. Nothing happens when it is there already. */
export async function moveAlias(
  deps: Pick<RegistryDeps, 'approvals'>,
  unit: Unit,
  model: ModelRow,
  alias: string,
  to: number | undefined,
  reason: AliasMoveReason,
  promotionId?: string,
): Promise<void> {
  const before = await findAliasRow(unit, model.model_key, alias);
  if (before?.version === to) return;
  if (to === undefined) await deleteAlias(unit, model.model_key, alias);
  else
    await putAlias(unit, {
      model_key: model.model_key,
      alias,
      version: to,
      promotion_id: promotionId ?? null,
      moved_by: unit.context.actor,
      moved_ms: unit.nowMs,
    });
  await unit.emit({
    type: 'registry.alias.moved',
    project: model.project,
    subject: formatReference('model', model.name, alias),
    data: {
      model: model.name,
      alias,
      ...(before && { from: before.version }),
      ...(to !== undefined && { to }),
      reason,
      ...(await promptFact(unit, model.model_key)),
    },
  });
  await reopenComparisons(deps, unit, model, alias, to);
}
