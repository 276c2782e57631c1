/** Count, mean and centred sum of squares of a set of numbers: mergeable, and exact for values with a large offset. */
export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** Sum of (x - mean)^2. */
  readonly squares: number;
}

export const noMoments: Moments = { n: 0, mean: 0, squares: 0 };

/** Moments of finite values in one pass (Welford 1962). */
export function momentsOf(values: ArrayLike<number>): Moments {
  let mean = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    const delta = value - mean;
    mean += delta / (i + 1);
    squares += delta * (value - mean);
  }
  return { n: values.length, mean, squares };
}

/** Moments of both sets together (Chan, Golub, LeVeque 1979); associative up to rounding. */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const n = a.n + b.n;
  const delta = b.mean - a.mean;
  return {
    n,
    mean: a.mean + (delta * b.n) / n,
    squares: a.squares + b.squares + (delta * delta * a.n * b.n) / n,
  };
}

/** Sample variance (n - 1); undefined below two values. */
export function varianceOf(moments: Moments): number | undefined {
  return moments.n < 2 ? undefined : moments.squares / (moments.n - 1);
}

/**
 * How far the mean moved, in standard deviations of the reference: (current - reference) / sd(reference). The scale of a
 * column with mean zero is its spread, not its mean. Undefined when the reference has no spread or a side is empty.
 */
export function standardizedMeanShift(reference: Moments, current: Moments): number | undefined {
  const variance = varianceOf(reference);
  if (variance === undefined || variance === 0 || current.n === 0) return undefined;
  return (current.mean - reference.mean) / Math.sqrt(variance);
}
