import { aucEstimate, aucOfGroups } from './auc.ts';
import { calibrationOfBins, scoreBinOf, toProbability } from './calibration.ts';
import {
  type ClassificationMetrics,
  type ClassificationOptions,
  decisionMetrics,
  logLossOfRow,
} from './classification.ts';
import { type Estimate, meanEstimate } from './intervals.ts';

/**
 * Score x label counts of labelled rows: what all metrics of a binary classifier follow from, mergeable by addition. Integers
 * only (sums are in millionths, rounded a row), so the order of merging never shows, and a recount from rows gives the same.
 *
 * Sums stay safe integers for 2.5e8 rows of the greatest log loss, and for far more of ordinary ones.
 */
export interface ScoreCounts {
  /** Rows of label 1 and 0 by equal-width score bin of [0, 1]; `scoreBinOf` says which. */
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
  /** Sums over rows, in millionths, of the log loss, its square, the squared error (Brier), and the square of that. */
  readonly lossMicros: number;
  readonly lossSquareMicros: number;
  readonly brierMicros: number;
  readonly brierSquareMicros: number;
  /** Labelled rows without a score in [0, 1]: in no other count. */
  readonly unscored: number;
}

/** Enough that ties within a bin move an AUC by less than its own error, and a multiple of ten calibration bins. */
export const defaultScoreBins = 1000;

const micro = 1_000_000;

export function emptyScoreCounts(bins: number = defaultScoreBins): ScoreCounts {
  return {
    positives: Array.from({ length: bins }, () => 0),
    negatives: Array.from({ length: bins }, () => 0),
    lossMicros: 0,
    lossSquareMicros: 0,
    brierMicros: 0,
    brierSquareMicros: 0,
    unscored: 0,
  };
}

/** Counts of rows with a known label (0 or 1); a score that is missing, NaN or outside [0, 1] counts as unscored. */
export function countScores(
  rows: Iterable<{ readonly label: number; readonly score: number | null | undefined }>,
  bins: number = defaultScoreBins,
): ScoreCounts {
  const positives = Array.from({ length: bins }, () => 0);
  const negatives = Array.from({ length: bins }, () => 0);
  let lossMicros = 0;
  let lossSquareMicros = 0;
  let brierMicros = 0;
  let brierSquareMicros = 0;
  let unscored = 0;
  for (const { label, score: given } of rows) {
    if (label !== 0 && label !== 1) throw new RangeError(`a label must be 0 or 1; it is ${label}`);
    const score = toProbability(given ?? Number.NaN);
    if (score === undefined) {
      unscored += 1;
      continue;
    }
    const side = label === 1 ? positives : negatives;
    const bin = scoreBinOf(score, bins);
    side[bin] = (side[bin] as number) + 1;
    const loss = logLossOfRow(label, score);
    const brier = (label - score) ** 2;
    lossMicros += Math.round(loss * micro);
    lossSquareMicros += Math.round(loss * loss * micro);
    brierMicros += Math.round(brier * micro);
    brierSquareMicros += Math.round(brier * brier * micro);
  }
  return { positives, negatives, lossMicros, lossSquareMicros, brierMicros, brierSquareMicros, unscored };
}

const add = (x: readonly number[], y: readonly number[]): number[] => x.map((count, bin) => count + (y[bin] as number));

/** Both counts together. Throws a RangeError when they have not the same number of bins. */
export function mergeScoreCounts(a: ScoreCounts, b: ScoreCounts): ScoreCounts {
  if (a.positives.length !== b.positives.length) {
    throw new RangeError(`score counts of ${a.positives.length} and ${b.positives.length} bins cannot be merged`);
  }
  return {
    positives: add(a.positives, b.positives),
    negatives: add(a.negatives, b.negatives),
    lossMicros: a.lossMicros + b.lossMicros,
    lossSquareMicros: a.lossSquareMicros + b.lossSquareMicros,
    brierMicros: a.brierMicros + b.brierMicros,
    brierSquareMicros: a.brierSquareMicros + b.brierSquareMicros,
    unscored: a.unscored + b.unscored,
  };
}

/** Rows with label and score. */
export function countScored(counts: ScoreCounts): number {
  return counts.positives.reduce((sum, count, bin) => sum + count + (counts.negatives[bin] as number), 0);
}

/** How far the AUC of these counts can be from that of the rows: half the share of pairs that lie in one bin. */
export function aucResolution(counts: ScoreCounts): number {
  let tied = 0;
  let positives = 0;
  let negatives = 0;
  counts.positives.forEach((count, bin) => {
    const other = counts.negatives[bin] as number;
    tied += count * other;
    positives += count;
    negatives += other;
  });
  return positives === 0 || negatives === 0 ? 0 : tied / (2 * positives * negatives);
}

function meanOfMicros(sum: number, squares: number, n: number, confidence: number): Estimate | undefined {
  if (n === 0) return undefined;
  const mean = sum / micro / n;
  return meanEstimate({ n, mean, squares: Math.max(0, squares / micro - n * mean * mean) }, confidence);
}

/**
 * The metrics that `classificationMetrics` gives for the rows. Log loss and Brier are those of the rows to 1e-6; the AUC
 * takes scores of one bin as ties (see `aucResolution`); mean scores are those of bin centres, off by half a bin at most.
 * The threshold must be an edge (a multiple of 1 / bins) and calibrationBins divide the bins, else a RangeError: then the
 * decisions are exact. Undefined without scored rows.
 */
export function metricsOfScoreCounts(
  counts: ScoreCounts,
  { threshold = 0.5, confidence = 0.95, calibrationBins = 10 }: ClassificationOptions = {},
): ClassificationMetrics | undefined {
  const bins = counts.positives.length;
  const cut = Math.round(threshold * bins);
  if (Math.abs(cut - threshold * bins) > 1e-9 * bins) {
    throw new RangeError(`the threshold ${threshold} is no edge of ${bins} score bins; take a multiple of ${1 / bins}`);
  }
  if (bins % calibrationBins !== 0) {
    throw new RangeError(`${calibrationBins} calibration bins do not divide ${bins} score bins`);
  }
  let truePositives = 0;
  let falsePositives = 0;
  let trueNegatives = 0;
  let falseNegatives = 0;
  const sums = Array.from({ length: calibrationBins }, (_, bin) => ({
    lower: bin / calibrationBins,
    upper: (bin + 1) / calibrationBins,
    n: 0,
    positives: 0,
    scoreSum: 0,
  }));
  for (let bin = 0; bin < bins; bin += 1) {
    const p = counts.positives[bin] as number;
    const q = counts.negatives[bin] as number;
    if (bin >= cut) {
      truePositives += p;
      falsePositives += q;
    } else {
      falseNegatives += p;
      trueNegatives += q;
    }
    const sum = sums[Math.floor((bin * calibrationBins) / bins)];
    if (sum === undefined) continue;
    sum.n += p + q;
    sum.positives += p;
    sum.scoreSum += ((p + q) * (bin + 0.5)) / bins;
  }
  const positives = truePositives + falseNegatives;
  const n = positives + falsePositives + trueNegatives;
  const logLoss = meanOfMicros(counts.lossMicros, counts.lossSquareMicros, n, confidence);
  const brier = meanOfMicros(counts.brierMicros, counts.brierSquareMicros, n, confidence);
  const calibration = calibrationOfBins(sums, confidence);
  if (logLoss === undefined || brier === undefined || calibration === undefined) return undefined;
  const confusion = { truePositives, falsePositives, trueNegatives, falseNegatives };
  const auc = aucOfGroups(counts);
  return {
    n,
    positives,
    threshold,
    confusion,
    ...decisionMetrics(confusion, confidence),
    ...(auc && { auc: aucEstimate(auc, confidence) }),
    logLoss,
    brier,
    calibration,
  };
}
