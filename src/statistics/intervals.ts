import { normalQuantile, studentQuantile } from './distributions.ts';
import { type Moments, varianceOf } from './moments.ts';

/** A two-sided interval; `confidence` is between 0 and 1, as in 0.9. */
export interface Interval {
  readonly lower: number;
  readonly upper: number;
  readonly confidence: number;
}

/** A figure with what supports it: the number of rows and, where one can be given, its interval. */
export interface Estimate {
  readonly value: number;
  readonly n: number;
  readonly interval?: Interval;
}

/** The z of a two-sided interval: 1.645 for 0.90. Throws a RangeError outside (0, 1). */
export function criticalZ(confidence: number): number {
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`confidence must lie between 0 and 1, as in 0.95; it is ${confidence}`);
  }
  return normalQuantile(0.5 + confidence / 2);
}

/**
 * The two-sided confidence whose one bound is a one-sided bound at `confidence`: 0.95 gives 0.90. Pass it to any interval
 * function when only one side matters. Needs confidence > 0.5.
 */
export function twoSidedFor(confidence: number): number {
  if (!(confidence > 0.5 && confidence < 1)) {
    throw new RangeError(`a one-sided confidence must lie between 0.5 and 1; it is ${confidence}`);
  }
  return 2 * confidence - 1;
}

/** Wilson's score interval of a proportion (Wilson 1927), without continuity correction. n = 0 gives the whole [0, 1]. */
export function wilsonInterval(successes: number, n: number, confidence: number): Interval {
  const z = criticalZ(confidence);
  if (!(n >= 0 && successes >= 0 && successes <= n)) {
    throw new RangeError(`a proportion needs 0 <= successes <= n; it has ${successes} of ${n}`);
  }
  if (n === 0) return { lower: 0, upper: 1, confidence };
  const p = successes / n;
  const z2 = z * z;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (z * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return {
    lower: successes === 0 ? 0 : Math.max(0, middle - half),
    upper: successes === n ? 1 : Math.min(1, middle + half),
    confidence,
  };
}

/** One-sided lower Wilson bound: the proportion is at least this, with the given confidence. */
export function wilsonLowerBound(successes: number, n: number, confidence: number): number {
  return wilsonInterval(successes, n, twoSidedFor(confidence)).lower;
}

/** One-sided upper Wilson bound: the proportion is at most this, with the given confidence. */
export function wilsonUpperBound(successes: number, n: number, confidence: number): number {
  return wilsonInterval(successes, n, twoSidedFor(confidence)).upper;
}

/**
 * Interval of p1 - p2 for two independent samples (Newcombe 1998, method 10: the two Wilson intervals combined). Sound with
 * empty cells. An empty sample gives an interval that says nothing about that side.
 */
export function newcombeDifference(
  first: { readonly successes: number; readonly n: number },
  second: { readonly successes: number; readonly n: number },
  confidence: number,
): Interval & { readonly difference: number } {
  const a = wilsonInterval(first.successes, first.n, confidence);
  const b = wilsonInterval(second.successes, second.n, confidence);
  const p1 = first.n === 0 ? 0.5 : first.successes / first.n;
  const p2 = second.n === 0 ? 0.5 : second.successes / second.n;
  const difference = p1 - p2;
  return {
    difference,
    lower: difference - Math.hypot(p1 - a.lower, b.upper - p2),
    upper: difference + Math.hypot(a.upper - p1, p2 - b.lower),
    confidence,
  };
}

/** Student's interval of a mean; undefined below two values. */
export function meanInterval(moments: Moments, confidence: number): Interval | undefined {
  criticalZ(confidence);
  const variance = varianceOf(moments);
  if (variance === undefined) return undefined;
  const half = studentQuantile(0.5 + confidence / 2, moments.n - 1) * Math.sqrt(variance / moments.n);
  return { lower: moments.mean - half, upper: moments.mean + half, confidence };
}

/** A mean as an estimate; undefined for an empty set. */
export function meanEstimate(moments: Moments, confidence: number): Estimate | undefined {
  if (moments.n === 0) return undefined;
  const interval = meanInterval(moments, confidence);
  return { value: moments.mean, n: moments.n, ...(interval && { interval }) };
}
