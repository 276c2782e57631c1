import { aucEstimate, checkScoredRows, computeAuc } from './auc.ts';
import { type Calibration, computeCalibration } from './calibration.ts';
import { type Estimate, meanEstimate, wilsonInterval } from './intervals.ts';
import { momentsOf } from './moments.ts';

/** Probabilities are kept this far from 0 and 1 for the logarithm, as scikit-learn does for doubles: a row costs 36 at most. */
const logLossClip = Number.EPSILON;

/** Natural-log loss of one row: label 0 or 1, probability of label 1. */
export function logLossOfRow(label: number, score: number): number {
  const p = Math.min(1 - logLossClip, Math.max(logLossClip, score));
  return label === 1 ? -Math.log(p) : -Math.log1p(-p);
}

/** Counts at a threshold: a row is called positive when score >= threshold. */
export interface ConfusionCounts {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
}

/** Metrics at a threshold; each undefined where its denominator is 0 (no positive called: no precision). */
export interface DecisionMetrics {
  readonly accuracy?: Estimate;
  readonly precision?: Estimate;
  readonly recall?: Estimate;
  readonly f1?: Estimate;
}

/** All metrics of a binary classifier; scores are probabilities of label 1. */
export interface ClassificationMetrics extends DecisionMetrics {
  /** Rows with label and score. */
  readonly n: number;
  readonly positives: number;
  readonly threshold: number;
  readonly confusion: ConfusionCounts;
  /** Undefined when a class has no rows. */
  readonly auc?: Estimate;
  readonly logLoss: Estimate;
  readonly brier: Estimate;
  readonly calibration: Calibration;
}

export interface ClassificationOptions {
  /** Default 0.5. */
  readonly threshold?: number;
  /** Of every interval, two-sided. Default 0.95. */
  readonly confidence?: number;
  /** Equal-width bins of the calibration. Default 10. */
  readonly calibrationBins?: number;
}

function confusionAt(labels: ArrayLike<number>, scores: ArrayLike<number>, threshold: number): ConfusionCounts {
  let truePositives = 0;
  let falsePositives = 0;
  let trueNegatives = 0;
  let falseNegatives = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const called = (scores[row] as number) >= threshold;
    if (labels[row] === 1) {
      if (called) truePositives += 1;
      else falseNegatives += 1;
    } else if (called) falsePositives += 1;
    else trueNegatives += 1;
  }
  return { truePositives, falsePositives, trueNegatives, falseNegatives };
}

const f1OfJaccard = (j: number): number => (2 * j) / (1 + j);

const proportion = (successes: number, n: number, confidence: number): Estimate | undefined =>
  n === 0 ? undefined : { value: successes / n, n, interval: wilsonInterval(successes, n, confidence) };

/**
 * Accuracy, precision, recall with Wilson's interval; F1 = 2 J / (1 + J) with J = TP / (TP + FP + FN), which is a proportion:
 * its interval is Wilson's for J, carried over. `n` of F1 is TP + FP + FN, of precision the rows called positive, of recall
 * the rows that are positive.
 */
export function decisionMetrics(counts: ConfusionCounts, confidence: number): DecisionMetrics {
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = counts;
  const wrong = falsePositives + falseNegatives;
  const accuracy = proportion(truePositives + trueNegatives, truePositives + trueNegatives + wrong, confidence);
  const precision = proportion(truePositives, truePositives + falsePositives, confidence);
  const recall = proportion(truePositives, truePositives + falseNegatives, confidence);
  const jaccard = proportion(truePositives, truePositives + wrong, confidence);
  const f1: Estimate | undefined = jaccard && {
    value: f1OfJaccard(jaccard.value),
    n: jaccard.n,
    ...(jaccard.interval && {
      interval: { lower: f1OfJaccard(jaccard.interval.lower), upper: f1OfJaccard(jaccard.interval.upper), confidence },
    }),
  };
  return {
    ...(accuracy && { accuracy }),
    ...(precision && { precision }),
    ...(recall && { recall }),
    ...(f1 && { f1 }),
  };
}

/**
 * Metrics of rows of label (0 or 1) and probability. Undefined without rows; throws a RangeError that names the row for
 * another label or a score outside [0, 1].
 */
export function classificationMetrics(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  { threshold = 0.5, confidence = 0.95, calibrationBins = 10 }: ClassificationOptions = {},
): ClassificationMetrics | undefined {
  checkScoredRows(labels, scores);
  const calibration = computeCalibration(labels, scores, { bins: calibrationBins, confidence });
  const losses = momentsOf(Float64Array.from(labels, (label, row) => logLossOfRow(label, scores[row] as number)));
  const squares = momentsOf(Float64Array.from(labels, (label, row) => (label - (scores[row] as number)) ** 2));
  const logLoss = meanEstimate(losses, confidence);
  const brier = meanEstimate(squares, confidence);
  if (calibration === undefined || logLoss === undefined || brier === undefined) return undefined;
  const confusion = confusionAt(labels, scores, threshold);
  const auc = computeAuc(labels, scores);
  return {
    n: labels.length,
    positives: confusion.truePositives + confusion.falseNegatives,
    threshold,
    confusion,
    ...decisionMetrics(confusion, confidence),
    ...(auc && { auc: aucEstimate(auc, confidence) }),
    logLoss,
    brier,
    calibration,
  };
}
