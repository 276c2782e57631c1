import { logGamma } from './distributions.ts';

/**
 * Distribution of the two-sided Kolmogorov-Smirnov statistic for n values: what scipy calls kstwo. The choice of method by
 * region follows Simard, L'Ecuyer 2011 ("Computing the two-sided Kolmogorov-Smirnov distribution", J. Stat. Softw. 39(11)).
 */

/** Twice the exact one-sided tail (Birnbaum, Tingey 1951), which equals the two-sided one to 1e-13 where n d^2 >= 4. */
function doubledOneSidedTail(n: number, d: number): number {
  let sum = 0;
  const last = Math.floor(n * (1 - d));
  let logChoose = 0;
  for (let j = 0; j <= last; j += 1) {
    const rest = 1 - d - j / n;
    if (rest > 0) sum += Math.exp(logChoose + (j - 1) * Math.log(d + j / n) + (n - j) * Math.log(rest));
    logChoose += Math.log((n - j) / (j + 1));
  }
  return 2 * d * sum;
}

/** cdf by powers of a matrix (Marsaglia, Tsang, Wang 2003, J. Stat. Softw. 8(18)): exact, for small n d. */
function cdfByMatrix(n: number, d: number): number {
  const k = Math.ceil(n * d);
  const size = 2 * k - 1;
  const h = k - n * d;
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) for (let j = 0; j < Math.min(size, i + 2); j += 1) matrix[i * size + j] = 1;
  const change = (i: number, j: number, by: number): void => {
    matrix[i * size + j] = (matrix[i * size + j] as number) + by;
  };
  for (let i = 0; i < size; i += 1) {
    change(i, 0, -(h ** (i + 1)));
    change(size - 1, i, -(h ** (size - i)));
  }
  if (2 * h - 1 > 0) change(size - 1, 0, (2 * h - 1) ** size);
  for (let i = 0; i < size; i += 1) {
    let factorial = 1;
    for (let j = i; j >= 0; j -= 1) {
      factorial *= i - j + 1;
      matrix[i * size + j] = (matrix[i * size + j] as number) / factorial;
    }
  }

  const multiply = (a: Float64Array, b: Float64Array): Float64Array => {
    const product = new Float64Array(size * size);
    for (let i = 0; i < size; i += 1) {
      for (let l = 0; l < size; l += 1) {
        const factor = a[i * size + l] as number;
        if (factor === 0) continue;
        for (let j = 0; j < size; j += 1) {
          product[i * size + j] = (product[i * size + j] as number) + factor * (b[l * size + j] as number);
        }
      }
    }
    return product;
  };
  /** A matrix times a power of two, kept apart so that nothing overflows. */
  interface Scaled {
    values: Float64Array;
    exponent: number;
  }
  const rescale = ({ values, exponent }: Scaled): Scaled => {
    const middle = values[(k - 1) * size + (k - 1)] as number;
    if (middle < 2 ** 400) return { values, exponent };
    return { values: values.map((value) => value * 2 ** -400), exponent: exponent + 400 };
  };
  let result: Scaled | undefined;
  let power: Scaled = { values: matrix, exponent: 0 };
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) {
      result =
        result === undefined
          ? power
          : rescale({ values: multiply(result.values, power.values), exponent: result.exponent + power.exponent });
    }
    if (rest > 1) power = rescale({ values: multiply(power.values, power.values), exponent: 2 * power.exponent });
  }
  if (result === undefined) return 0;
  const entry = result.values[(k - 1) * size + (k - 1)] as number;
  return Math.exp(Math.log(entry) + result.exponent * Math.LN2 + logGamma(n + 1) - n * Math.log(n));
}

/** cdf by the expansion in powers of 1 / sqrt(n) (Pelz, Good 1976, J. R. Stat. Soc. B 38(2)): for n above 140. */
function cdfByExpansion(n: number, d: number): number {
  const z = Math.sqrt(n) * d;
  const z2 = z * z;
  const pi2 = Math.PI ** 2;
  const root = Math.sqrt(2 * Math.PI);
  let k0 = 0;
  let k1 = 0;
  let k2 = 0;
  let k3 = 0;
  const terms = Math.ceil((16 * z) / Math.PI) + 1;
  for (let k = 1; k <= terms; k += 1) {
    const odd2 = (2 * k - 1) ** 2 * pi2;
    const weight = Math.exp(-odd2 / (8 * z2));
    k0 += weight;
    k1 += weight * (odd2 / 4 - z2);
    k2 += weight * (6 * z2 ** 3 + 2 * z2 ** 2 + ((2 * z2 ** 2 - 5 * z2) * odd2) / 4 + ((1 - 2 * z2) * odd2 ** 2) / 16);
    k3 +=
      weight *
      (-30 * z2 ** 3 -
        90 * z2 ** 4 +
        ((135 * z2 ** 2 - 96 * z2 ** 3) * odd2) / 4 +
        ((212 * z2 ** 2 - 60 * z2) * odd2 ** 2) / 16 +
        ((5 - 30 * z2) * odd2 ** 3) / 64);
  }
  let even2 = 0;
  let even3 = 0;
  for (let k = 1; k <= terms; k += 1) {
    const square = k * k * pi2;
    const weight = Math.exp(-square / (2 * z2));
    even2 += square * weight;
    even3 += (3 * z2 - square) * square * weight;
  }
  const first = (root / z) * k0;
  const second = (root / (6 * z2 ** 2)) * k1;
  const third = (root / (72 * z ** 7)) * k2 - (root / (36 * z ** 3)) * even2;
  const fourth = (root / (6480 * z ** 10)) * k3 + (root / (216 * z ** 6)) * even3;
  return first + second / Math.sqrt(n) + third / n + fourth / n ** 1.5;
}

const clip = (p: number): number => Math.min(1, Math.max(0, p));

/**
 * P(D_n >= d): the two-sided Kolmogorov-Smirnov tail for n values. Agrees with scipy.stats.kstwo.sf to 1e-9 relative; for n
 * above 20,000 and p below about 0.03 to 2e-3 as long as p > 1e-200. Throws a RangeError unless n is a positive integer.
 */
export function kolmogorovUpperTail(n: number, d: number): number {
  if (!(Number.isInteger(n) && n > 0)) throw new RangeError(`n must be a positive integer; it is ${n}`);
  if (d >= 1) return 0;
  const t = n * d;
  if (t <= 0.5) return 1;
  if (t <= 1) return clip(1 - Math.exp(logGamma(n + 1) - n * Math.log(n) + n * Math.log(2 * t - 1)));
  if (t >= n - 1) return 2 * (1 - d) ** n;
  const t2 = t * d;
  if (t2 >= 370) return 0;
  if (d >= 0.5 || t2 >= (n <= 140 ? 4 : 2.2)) {
    // Beyond 20,000 the sum is replaced by its leading terms; d is then so small that the next ones do not matter.
    return n <= 20_000
      ? clip(doubledOneSidedTail(n, d))
      : clip(2 * Math.exp(-2 * t2 - (2 * d) / 3 - (4 / 9) * t2 * d * d));
  }
  return clip(1 - (n <= 140 || (n <= 100_000 && n * d ** 1.5 <= 1.4) ? cdfByMatrix(n, d) : cdfByExpansion(n, d)));
}
