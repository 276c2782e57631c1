import { parseReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import type { RegistryDeps } from './registry-deps.ts';

/**
 * Writes the edges whose ends are references. A model registered by a foreign client may have a name that no reference
 * can carry (blanks, other scripts): it works everywhere else and is left out of the graph.
 */
export async function recordEdges(
  lineage: RegistryDeps['lineage'],
  unit: Unit,
  project: string,
  edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
): Promise<void> {
  const sound = edges.filter(({ from, to }) => parseReference(from) !== undefined && parseReference(to) !== undefined);
  if (sound.length > 0) await lineage.record(unit, project, sound);
}
