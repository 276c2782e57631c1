import { criticalZ, type Estimate, type Interval, wilsonInterval } from './intervals.ts';

/** One bin of a reliability curve: what was said and what happened. */
export interface ReliabilityBin {
  /** Scores from `lower` (inside) to `upper` (outside, but for the last bin). */
  readonly lower: number;
  readonly upper: number;
  readonly n: number;
  /** Mean score and share of label 1; undefined for an empty bin. */
  readonly meanScore?: number;
  readonly positiveShare?: number;
  /** Wilson's interval of the share. */
  readonly interval?: Interval;
}

export interface Calibration {
  readonly bins: readonly ReliabilityBin[];
  /**
   * Expected calibration error: mean over rows of |share of label 1 - mean score| of the row's bin, in [0, 1]. It is above 0
   * by chance alone (`noise`); the lower bound of its interval allows for that, so that a bound above a threshold is evidence.
   */
  readonly expectedError: Estimate;
  /** What the expected error comes to on average for these scores if they were perfectly calibrated. */
  readonly noise: number;
  /** Greatest |share - mean score| over bins. */
  readonly greatestError: number;
  /** Mean of label - score: above zero the model says too little. */
  readonly bias: Estimate;
}

/** Sums of one bin, from which everything above follows. */
export interface CalibrationBinSums {
  readonly lower: number;
  readonly upper: number;
  readonly n: number;
  readonly positives: number;
  readonly scoreSum: number;
}

/** Calibration from sums by bin (Naeini, Cooper, Hauskrecht 2015 for the expected error). Undefined without rows. */
export function calibrationOfBins(sums: readonly CalibrationBinSums[], confidence: number): Calibration | undefined {
  const z = criticalZ(confidence);
  const filled = sums.filter((bin) => bin.n > 0);
  const n = filled.reduce((sum, bin) => sum + bin.n, 0);
  if (n === 0) return undefined;
  let expected = 0;
  let noise = 0;
  let greatest = 0;
  let variance = 0;
  let bias = 0;
  for (const bin of filled) {
    const said = bin.scoreSum / bin.n;
    const happened = bin.positives / bin.n;
    const gap = happened - said;
    const weight = bin.n / n;
    expected += weight * Math.abs(gap);
    greatest = Math.max(greatest, Math.abs(gap));
    bias += weight * gap;
    // Mean of |X| for a normal X is its deviation times sqrt(2 / pi).
    noise += weight * Math.sqrt((2 * said * (1 - said)) / (Math.PI * bin.n));
    variance += (weight * weight * happened * (1 - happened)) / bin.n;
  }
  const half = z * Math.sqrt(variance);
  return {
    bins: sums.map((bin) => ({
      lower: bin.lower,
      upper: bin.upper,
      n: bin.n,
      ...(bin.n > 0 && {
        meanScore: bin.scoreSum / bin.n,
        positiveShare: bin.positives / bin.n,
        interval: wilsonInterval(bin.positives, bin.n, confidence),
      }),
    })),
    expectedError: {
      value: expected,
      n,
      interval: { lower: Math.max(0, expected - noise - half), upper: Math.min(1, expected + half), confidence },
    },
    noise,
    greatestError: greatest,
    bias: { value: bias, n, interval: { lower: bias - half, upper: bias + half, confidence } },
  };
}

/**
 * A score as a probability: one that 32-bit arithmetic put up to 1e-6 outside [0, 1] is taken for the end; undefined for
 * anything further out and for NaN.
 */
export function toProbability(score: number): number | undefined {
  if (!(score >= -1e-6 && score <= 1 + 1e-6)) return undefined;
  return Math.min(1, Math.max(0, score));
}

/**
 * Which of `bins` equal bins of [0, 1] a score lies in: bin i holds [i / bins, (i + 1) / bins), the last also 1, with the
 * edges as the computer divides them, so that score >= i / bins and bin >= i always agree.
 */
export function scoreBinOf(score: number, bins: number): number {
  let bin = Math.min(bins - 1, Math.floor(score * bins));
  if (bin + 1 < bins && score >= (bin + 1) / bins) bin += 1;
  else if (score < bin / bins) bin -= 1;
  return bin;
}

/** Calibration of rows of label (0 or 1) and probability over equal-width bins. Undefined without rows. */
export function computeCalibration(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  { bins = 10, confidence = 0.95 }: { readonly bins?: number; readonly confidence?: number } = {},
): Calibration | undefined {
  const sums = Array.from({ length: bins }, (_, bin) => ({
    lower: bin / bins,
    upper: (bin + 1) / bins,
    n: 0,
    positives: 0,
    scoreSum: 0,
  }));
  for (let row = 0; row < scores.length; row += 1) {
    const score = toProbability(scores[row] as number);
    const sum = score === undefined ? undefined : sums[scoreBinOf(score, bins)];
    if (sum === undefined || score === undefined) {
      throw new RangeError(`score ${row} is ${scores[row]}; a probability lies in [0, 1]`);
    }
    sum.n += 1;
    sum.positives += labels[row] as number;
    sum.scoreSum += score;
  }
  return calibrationOfBins(sums, confidence);
}
