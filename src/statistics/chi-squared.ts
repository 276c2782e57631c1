import { chiSquaredUpperTail } from './distributions.ts';

export interface ChiSquared {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  readonly pValue: number;
  /**
   * Effect size in [0, 1]: Cramer's V as if both sets were of one size, less what chance alone gives (after Bergsma 2013). The
   * plain V of sets as unequal as training data and one hour of traffic stays near 0 whatever happens.
   */
  readonly cramersV: number;
  /** Categories that were too rare to stand alone and were taken together. */
  readonly pooled: number;
  readonly referenceRows: number;
  readonly currentRows: number;
}

/**
 * Pearson's test that two sets of counts over the same categories come from one distribution (homogeneity, 2 x k). Both sets
 * are samples, so a category that one of them lacks is an ordinary cell. Categories empty in both are left out; those with
 * fewer than `minExpected` rows expected in either set are taken together as one (Cochran 1954: 1 is enough). Without
 * pooling (`minExpected: 0`) the answer is scipy.stats.chi2_contingency(correction=False). With one category left nothing
 * can differ: p = 1. Undefined when a set is empty.
 */
export function testHomogeneity(
  reference: readonly number[],
  current: readonly number[],
  { minExpected = 1 }: { readonly minExpected?: number } = {},
): ChiSquared | undefined {
  if (reference.length !== current.length) {
    throw new RangeError(`${reference.length} reference counts and ${current.length} current ones cannot be compared`);
  }
  const n = reference.reduce((sum, count) => sum + count, 0);
  const m = current.reduce((sum, count) => sum + count, 0);
  if (n === 0 || m === 0) return undefined;
  const cells: [number, number][] = [];
  const rare: [number, number] = [0, 0];
  let pooled = 0;
  reference.forEach((a, index) => {
    const b = current[index] as number;
    if (a + b === 0) return;
    if (((a + b) * Math.min(n, m)) / (n + m) >= minExpected) cells.push([a, b]);
    else {
      rare[0] += a;
      rare[1] += b;
      pooled += 1;
    }
  });
  if (pooled > 0) cells.push(rare);

  let divergence = 0;
  let statistic = 0;
  for (const [a, b] of cells) {
    const p = a / n;
    const q = b / m;
    statistic += ((p - q) * (p - q) * n * m) / (a + b);
    divergence += ((p - q) * (p - q)) / (p + q) / 2;
  }
  const degreesOfFreedom = cells.length - 1;
  const chance = (degreesOfFreedom / 4) * (1 / n + 1 / m);
  return {
    statistic,
    degreesOfFreedom,
    pValue: degreesOfFreedom === 0 ? 1 : chiSquaredUpperTail(statistic, degreesOfFreedom),
    cramersV: Math.sqrt(Math.min(1, Math.max(0, divergence - chance))),
    pooled,
    referenceRows: n,
    currentRows: m,
  };
}
