/**
 * `abort_when` of a deployment: comparisons joined by `or`, `error_rate > 0.01 or latency_p99 > 250ms`. One parser, for
 * whoever checks the document and whoever acts on it.
 */
export const rolloutMetrics = [
  'error_rate',
  'latency_mean',
  'latency_p50',
  'latency_p90',
  'latency_p95',
  'latency_p99',
] as const;
export type RolloutMetric = (typeof rolloutMetrics)[number];

export interface RolloutComparison {
  readonly metric: RolloutMetric;
  readonly operator: '>' | '>=' | '<' | '<=';
  /** A share for error_rate, microseconds for a latency. */
  readonly threshold: number;
  /** The comparison as it was written. */
  readonly text: string;
}

const comparison = /^([a-z_0-9]+)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*(us|ms|s|%)?$/i;
const unitUs: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000 };

/** The comparisons of a condition, or what is wrong with it. */
export function parseRolloutCondition(
  text: string,
): { readonly comparisons: readonly RolloutComparison[] } | { readonly problem: string } {
  const comparisons: RolloutComparison[] = [];
  for (const part of text.split(/\s+or\s+|\|\|/i)) {
    const written = part.trim();
    const [, name, operator, number, unit] = comparison.exec(written) ?? [];
    if (name === undefined || operator === undefined) return { problem: `"${written}" is no comparison` };
    const metric = rolloutMetrics.find((known) => known === name);
    if (metric === undefined) return { problem: `there is no metric "${name}"` };
    const value = Number(number);
    const isRate = metric === 'error_rate';
    if (isRate && unit !== undefined && unit !== '%') return { problem: `"${written}": an error rate has no unit` };
    const factor = isRate ? (unit === '%' ? 0.01 : 1) : unitUs[unit?.toLowerCase() ?? ''];
    if (factor === undefined) return { problem: `"${written}": write the latency's unit, us, ms or s` };
    comparisons.push({
      metric,
      operator: operator as RolloutComparison['operator'], // the pattern lets no other through
      threshold: value * factor,
      text: written,
    });
  }
  return { comparisons };
}
