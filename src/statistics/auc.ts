import { normalUpperTail } from './distributions.ts';
import { criticalZ, type Estimate, type Interval, wilsonInterval } from './intervals.ts';

/** The area under the ROC curve with DeLong's variance of it; both sides have rows. */
export interface AucStatistics {
  readonly auc: number;
  /** Undefined with fewer than two rows on a side. */
  readonly variance?: number;
  readonly positives: number;
  readonly negatives: number;
}

/** Rows that share a score, or a narrow range of scores, and so count as ties. */
export interface ScoreGroups {
  /** Rows of label 1 and of label 0 in each group, groups ascending by score. */
  readonly positives: ArrayLike<number>;
  readonly negatives: ArrayLike<number>;
}

/** Checks rows of label (0 or 1) and score (a number) that pair up; throws a RangeError that names the first bad row. */
export function checkScoredRows(labels: ArrayLike<number>, scores: ArrayLike<number>): void {
  if (labels.length !== scores.length) {
    throw new RangeError(`there are ${labels.length} labels and ${scores.length} scores; they must pair up`);
  }
  for (let row = 0; row < labels.length; row += 1) {
    if (labels[row] !== 0 && labels[row] !== 1) {
      throw new RangeError(`label ${row} is ${labels[row]}; it must be 0 or 1, leave rows of unknown truth out`);
    }
    if (Number.isNaN(scores[row])) throw new RangeError(`score ${row} is not a number; leave such rows out, counted`);
  }
}

/** Which group of equal scores each row is in, groups ascending by score. No score is NaN. */
export function groupByScore(scores: ArrayLike<number>): { readonly groupOfRow: Int32Array; readonly groups: number } {
  // Sorting numbers and looking each row up is several times faster than sorting rows by a comparison.
  const distinct = Float64Array.from(scores).toSorted();
  let groups = 0;
  for (const score of distinct) {
    if (groups === 0 || score !== distinct[groups - 1]) {
      distinct[groups] = score;
      groups += 1;
    }
  }
  const groupOfRow = new Int32Array(scores.length);
  for (let row = 0; row < scores.length; row += 1) {
    const score = scores[row] as number;
    let low = 0;
    let high = groups - 1;
    while (low < high) {
      const half = (low + high) >>> 1;
      if ((distinct[half] as number) < score) low = half + 1;
      else high = half;
    }
    groupOfRow[row] = low;
  }
  return { groupOfRow, groups };
}

function countByScore(labels: ArrayLike<number>, scores: ArrayLike<number>) {
  const { groupOfRow, groups } = groupByScore(scores);
  const positives = new Float64Array(groups);
  const negatives = new Float64Array(groups);
  groupOfRow.forEach((group, row) => {
    const side = labels[row] === 1 ? positives : negatives;
    side[group] = (side[group] as number) + 1;
  });
  return { groupOfRow, positives, negatives };
}

/** Shares of the other class below each group, ties by half: the "structural components" of DeLong's method. */
function componentsOf(groups: ScoreGroups) {
  const size = groups.positives.length;
  let positives = 0;
  let negatives = 0;
  for (let g = 0; g < size; g += 1) {
    positives += groups.positives[g] as number;
    negatives += groups.negatives[g] as number;
  }
  const ofPositives = new Float64Array(size);
  const ofNegatives = new Float64Array(size);
  let below = 0;
  let above = positives;
  for (let g = 0; g < size; g += 1) {
    const p = groups.positives[g] as number;
    const q = groups.negatives[g] as number;
    above -= p;
    ofPositives[g] = (below + q / 2) / negatives;
    ofNegatives[g] = (above + p / 2) / positives;
    below += q;
  }
  return { positives, negatives, ofPositives, ofNegatives };
}

/** AUC and its variance from grouped rows (DeLong, DeLong, Clarke-Pearson 1988). Undefined when a class has no rows. */
export function aucOfGroups(groups: ScoreGroups): AucStatistics | undefined {
  const { positives, negatives, ofPositives, ofNegatives } = componentsOf(groups);
  if (positives === 0 || negatives === 0) return undefined;
  let auc = 0;
  for (let g = 0; g < ofPositives.length; g += 1) auc += (groups.positives[g] as number) * (ofPositives[g] as number);
  auc /= positives;
  if (positives < 2 || negatives < 2) return { auc, positives, negatives };
  let s10 = 0;
  let s01 = 0;
  for (let g = 0; g < ofPositives.length; g += 1) {
    s10 += (groups.positives[g] as number) * ((ofPositives[g] as number) - auc) ** 2;
    s01 += (groups.negatives[g] as number) * ((ofNegatives[g] as number) - auc) ** 2;
  }
  const variance = s10 / (positives - 1) / positives + s01 / (negatives - 1) / negatives;
  return { auc, variance, positives, negatives };
}

/**
 * Area under the ROC curve: the share of (positive, negative) pairs that the score puts in the right order, ties by half.
 * Labels are 0 or 1, scores any numbers. Undefined when a class has no rows.
 */
export function computeAuc(labels: ArrayLike<number>, scores: ArrayLike<number>): AucStatistics | undefined {
  checkScoredRows(labels, scores);
  return aucOfGroups(countByScore(labels, scores));
}

const expit = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Interval of an AUC: normal on the logit scale, so inside (0, 1) and right near the ends (Pepe 2003, section 5.2.3). Where
 * the variance is 0 or unknown (perfect order, or a class of one row) it is Wilson's interval for as many rows as the smaller
 * class has: wide, but not a false certainty.
 */
export function aucInterval({ auc, variance, positives, negatives }: AucStatistics, confidence: number): Interval {
  const z = criticalZ(confidence);
  if (variance === undefined || variance === 0 || auc <= 0 || auc >= 1) {
    const n = Math.min(positives, negatives);
    return wilsonInterval(auc * n, n, confidence);
  }
  const logit = Math.log(auc / (1 - auc));
  const half = (z * Math.sqrt(variance)) / (auc * (1 - auc));
  return { lower: expit(logit - half), upper: expit(logit + half), confidence };
}

/** The AUC as an estimate; n is the rows of both classes. */
export function aucEstimate(statistics: AucStatistics, confidence: number): Estimate {
  const n = statistics.positives + statistics.negatives;
  return { value: statistics.auc, n, interval: aucInterval(statistics, confidence) };
}

/** Variance of an AUC from the counts alone, without the rows (Hanley, McNeil 1982). */
export function hanleyMcNeilVariance(auc: number, positives: number, negatives: number): number {
  const q1 = auc / (2 - auc);
  const q2 = (2 * auc * auc) / (1 + auc);
  return (
    (auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)) /
    (positives * negatives)
  );
}

/** Two scores of the same rows compared by AUC: `difference` is second - first. */
export interface AucComparison {
  readonly first: number;
  readonly second: number;
  readonly difference: number;
  readonly interval: Interval;
  /** Two-sided, of no difference. */
  readonly pValue: number;
  readonly n: number;
}

/**
 * DeLong's test of two AUCs on the same rows; their covariance counts, so it sees smaller differences than two intervals do.
 * Undefined with fewer than two rows in a class. Scores that order all rows alike: difference 0, p = 1.
 */
export function compareAuc(
  labels: ArrayLike<number>,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  confidence: number,
): AucComparison | undefined {
  const z = criticalZ(confidence);
  checkScoredRows(labels, first);
  checkScoredRows(labels, second);
  const sides = [first, second].map((scores) => {
    const counts = countByScore(labels, scores);
    return { groupOfRow: counts.groupOfRow, ...componentsOf(counts), auc: aucOfGroups(counts)?.auc };
  });
  const [a, b] = sides;
  if (a?.auc === undefined || b?.auc === undefined || a.positives < 2 || a.negatives < 2) return undefined;
  const difference = b.auc - a.auc;
  let s10 = 0;
  let s01 = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const groupA = a.groupOfRow[row] as number;
    const groupB = b.groupOfRow[row] as number;
    if (labels[row] === 1) {
      s10 += ((b.ofPositives[groupB] as number) - (a.ofPositives[groupA] as number) - difference) ** 2;
    } else {
      s01 += ((b.ofNegatives[groupB] as number) - (a.ofNegatives[groupA] as number) - difference) ** 2;
    }
  }
  const error = Math.sqrt(s10 / (a.positives - 1) / a.positives + s01 / (a.negatives - 1) / a.negatives);
  return {
    first: a.auc,
    second: b.auc,
    difference,
    interval: { lower: difference - z * error, upper: difference + z * error, confidence },
    pValue: error === 0 ? (difference === 0 ? 1 : 0) : 2 * normalUpperTail(Math.abs(difference) / error),
    n: labels.length,
  };
}
