import { type CategoryCounts, countCategorised } from './categories.ts';
import { testHomogeneity } from './chi-squared.ts';
import { jensenShannonDistance, populationStabilityIndex, type StabilityIndex } from './distances.ts';
import { type CellCounts, groupCells, sumGroups } from './histogram.ts';
import { testKolmogorovSmirnovOfCells } from './kolmogorov-smirnov.ts';
import { adjustBenjaminiHochberg } from './multiple-testing.ts';

/** How one column of current rows compares with the reference. The method never depends on how many rows there are. */
export interface DriftMeasure {
  readonly method: 'kolmogorov-smirnov' | 'chi-squared';
  readonly pValue: number;
  /** In [0, 1]: D for numbers, Cramer's V for categories. */
  readonly effect: number;
  readonly psi: StabilityIndex;
  /** To base 2, in [0, 1], over the same cells as the PSI. */
  readonly jensenShannon: number;
  /** Rows with a value. For categories a missing value is a category, so there they are all rows. */
  readonly referenceRows: number;
  readonly currentRows: number;
  /** Shares of rows without a value, in [0, 1]. */
  readonly referenceNullShare: number;
  readonly currentNullShare: number;
  /** Current rows where the reference has none: in a cell or, for categories, outside the list (`other`). */
  readonly unseenRows: number;
  /** Every reference value lies in one cell: there is no spread to judge a shift by, only whether the value was left. */
  readonly constantReference: boolean;
}

/** Cells of the stability index: the usual number of deciles, and so many rows of the smaller set in each at least. */
const stabilityGroups = 10;
const rowsPerGroup = 5;

const shareOf = (part: number, rest: number): number => (part + rest === 0 ? 0 : part / (part + rest));

/**
 * Compares two histograms over the same edges (equal-mass edges of the reference: an outlier is one row in an open end and
 * hides nothing). Kolmogorov-Smirnov over the cells; PSI and Jensen-Shannon over at most ten neighbouring groups of about
 * equal reference mass, fewer when the smaller set has under five rows for each. Undefined when a side has no values.
 */
export function compareNumbers(reference: CellCounts, current: CellCounts): DriftMeasure | undefined {
  const test = testKolmogorovSmirnovOfCells(reference.counts, current.counts);
  if (test === undefined) return undefined;
  const { referenceRows, currentRows } = test;
  const fewest = Math.min(referenceRows, currentRows);
  const groups = Math.max(2, Math.min(stabilityGroups, Math.floor(fewest / rowsPerGroup)));
  const groupOfCell = groupCells(reference.counts, groups);
  const grouped = [reference.counts, current.counts].map((counts) => sumGroups(counts, groupOfCell, groups));
  const psi = populationStabilityIndex(grouped[0] ?? [], grouped[1] ?? []);
  const jensenShannon = jensenShannonDistance(grouped[0] ?? [], grouped[1] ?? []);
  if (psi === undefined || jensenShannon === undefined) return undefined;
  return {
    method: 'kolmogorov-smirnov',
    pValue: test.pValue,
    effect: test.d,
    psi,
    jensenShannon,
    referenceRows,
    currentRows,
    referenceNullShare: shareOf(reference.nulls, referenceRows),
    currentNullShare: shareOf(current.nulls, currentRows),
    unseenRows: current.counts.reduce((sum, count, cell) => (reference.counts[cell] === 0 ? sum + count : sum), 0),
    constantReference: reference.counts.filter((count) => count > 0).length === 1,
  };
}

/**
 * Compares counts over the same list of categories; `other` and nulls are categories of their own, so values never seen
 * before count in the test and are reported besides. Undefined when a side has no rows.
 */
export function compareCategories(reference: CategoryCounts, current: CategoryCounts): DriftMeasure | undefined {
  const a = [...reference.counts, reference.other, reference.nulls];
  const b = [...current.counts, current.other, current.nulls];
  const test = testHomogeneity(a, b);
  const psi = populationStabilityIndex(a, b);
  const jensenShannon = jensenShannonDistance(a, b);
  if (test === undefined || psi === undefined || jensenShannon === undefined) return undefined;
  const values = [...reference.counts, reference.other];
  return {
    method: 'chi-squared',
    pValue: test.pValue,
    effect: test.cramersV,
    psi,
    jensenShannon,
    referenceRows: test.referenceRows,
    currentRows: test.currentRows,
    referenceNullShare: shareOf(reference.nulls, countCategorised(reference)),
    currentNullShare: shareOf(current.nulls, countCategorised(current)),
    unseenRows: values.reduce((sum, count, place) => (count === 0 ? sum + (b[place] as number) : sum), 0),
    constantReference: values.filter((count) => count > 0).length <= 1,
  };
}

export interface DriftRule {
  /** Bound on the expected share of false findings among the drifted columns of one judgement. */
  readonly alpha: number;
  /** Least effect that matters, in [0, 1]: with many rows anything is significant. */
  readonly minEffect: number;
  /** Least rows on either side. */
  readonly minRows: number;
}

export const defaultDriftRule: DriftRule = { alpha: 0.05, minEffect: 0.1, minRows: 100 };

export interface DriftVerdict {
  readonly state: 'drifted' | 'stable' | 'not-enough-data';
  /** Benjamini-Hochberg over the columns that had enough data; undefined for the others. */
  readonly adjustedPValue?: number;
  readonly reason: string;
}

const figure = (value: number): string => (value >= 0.001 || value === 0 ? value.toFixed(3) : value.toExponential(1));

/**
 * Judges the columns of one comparison together, in the order given: drifted means adjusted p < alpha AND effect >= minEffect
 * AND both sides have minRows. `undefined` stands for a column that could not be measured. Columns without enough data are no
 * part of the correction.
 */
export function judgeDrift(
  measures: readonly (DriftMeasure | undefined)[],
  rule: DriftRule = defaultDriftRule,
): DriftVerdict[] {
  const enough = (measure: DriftMeasure): boolean =>
    Math.min(measure.referenceRows, measure.currentRows) >= rule.minRows;
  const adjusted = adjustBenjaminiHochberg(
    measures.flatMap((measure) => (measure !== undefined && enough(measure) ? [measure.pValue] : [])),
  );
  let next = 0;
  return measures.map((measure): DriftVerdict => {
    if (measure === undefined || !enough(measure)) {
      const has =
        measure === undefined
          ? 'a side has no values'
          : `${measure.referenceRows} reference and ${measure.currentRows} current values`;
      return { state: 'not-enough-data', reason: `${has}; at least ${rule.minRows} of each are needed` };
    }
    const adjustedPValue = adjusted[next] as number;
    next += 1;
    const name = measure.method === 'chi-squared' ? "Cramer's V" : 'D';
    const effect = `${name} ${figure(measure.effect)}`;
    const p = `adjusted p ${figure(adjustedPValue)}`;
    if (adjustedPValue >= rule.alpha) {
      return { state: 'stable', adjustedPValue, reason: `${p} is not below ${rule.alpha} (${effect})` };
    }
    if (measure.effect < rule.minEffect) {
      return { state: 'stable', adjustedPValue, reason: `${effect} is below ${rule.minEffect}: too small to matter` };
    }
    const constant = measure.constantReference ? '; the reference has one value only' : '';
    return {
      state: 'drifted',
      adjustedPValue,
      reason: `${effect} is at least ${rule.minEffect} and ${p} is below ${rule.alpha}${constant}`,
    };
  });
}
