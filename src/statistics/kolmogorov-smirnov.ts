import { kolmogorovUpperTail } from './kolmogorov.ts';

/** A two-sample, two-sided Kolmogorov-Smirnov test. `d` in [0, 1] is also the effect size: the widest gap between both cdfs. */
export interface KolmogorovSmirnov {
  readonly d: number;
  readonly pValue: number;
  readonly referenceRows: number;
  readonly currentRows: number;
}

/**
 * p as scipy.stats.ks_2samp(method="asymp") gives it: the law of one sample of size n m / (n + m), rounded. For samples of a
 * few dozen it is close to exact; with ties, and for values in cells, it errs on the side of no drift.
 */
const pValueOf = (d: number, n: number, m: number): number =>
  kolmogorovUpperTail(Math.max(1, Math.round((n / (n + m)) * m)), d);

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

const sortedCopy = (values: ArrayLike<number>, name: string): Float64Array => {
  const copy = Float64Array.from(values);
  const bad = copy.findIndex(Number.isNaN);
  if (bad >= 0) throw new RangeError(`value ${bad} of the ${name} set is not a number; count such rows apart as nulls`);
  return copy.toSorted();
};

/** The test on raw values, in any order, infinite ones allowed; undefined when a set is empty. */
export function testKolmogorovSmirnov(
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
): KolmogorovSmirnov | undefined {
  const n = reference.length;
  const m = current.length;
  if (n === 0 || m === 0) return undefined;
  const a = sortedCopy(reference, 'reference');
  const b = sortedCopy(current, 'current');
  let d = 0;
  let i = 0;
  let j = 0;
  while (i < n && j < m) {
    // Both pass all equal values before the gap is measured: ties have no order.
    const value = Math.min(a[i] as number, b[j] as number);
    while (i < n && a[i] === value) i += 1;
    while (j < m && b[j] === value) j += 1;
    d = Math.max(d, Math.abs(i / n - j / m));
  }
  return { d, pValue: pValueOf(d, n, m), referenceRows: n, currentRows: m };
}

/**
 * The test on counts over the same cells in ascending order. D is measured at the edges only, so it is at most the D of the
 * raw values, and below it by at most the mass of one cell. Undefined when a set is empty.
 */
export function testKolmogorovSmirnovOfCells(
  reference: readonly number[],
  current: readonly number[],
): KolmogorovSmirnov | undefined {
  if (reference.length !== current.length) {
    throw new RangeError(`histograms of ${reference.length} and ${current.length} cells cannot be compared`);
  }
  const n = sum(reference);
  const m = sum(current);
  if (n === 0 || m === 0) return undefined;
  let d = 0;
  let i = 0;
  let j = 0;
  reference.forEach((count, cell) => {
    i += count;
    j += current[cell] as number;
    d = Math.max(d, Math.abs(i / n - j / m));
  });
  return { d, pValue: pValueOf(d, n, m), referenceRows: n, currentRows: m };
}
