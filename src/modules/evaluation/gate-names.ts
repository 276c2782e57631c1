import { suiteMetrics } from '#contracts/evaluation';
import { type Gate, namesOf } from './gate-expression.ts';

const ofChampion = 'champion.';

/** What a gate may name: what candidate and champion are scored by, and the number of test rows. */
export const gateNames: readonly string[] = [
  ...suiteMetrics,
  ...suiteMetrics.map((metric) => `${ofChampion}${metric}`),
  'n',
];

/**
 * Names of a gate that will never have a value. Any other may be a number of the user's own, when there are such; the
 * champion has none.
 */
export function unknownNames(gate: Gate, hasOwnMetrics: boolean): readonly string[] {
  return namesOf(gate).filter((name) => !gateNames.includes(name) && !(hasOwnMetrics && !name.startsWith(ofChampion)));
}
