import { type CategoryCounts, countCategorised } from './categories.ts';
import { testHomogeneity } from './chi-squared.ts';
import { jensenShannonDistance, populationStabilityIndex, type StabilityIndex } from './distances.ts';
import { type CellCounts, countValues, groupCells, sumGroups } from './histogram.ts';
import { testKolmogorovSmirnovOfCells } from './kolmogorov-smirnov.ts';
import { adjustBenjaminiHochberg } from './multiple-testing.ts';

/** How the values of one column compare with the reference. The method never depends on how many rows there are. */
export interface DriftMeasure {
  readonly method: 'kolmogorov-smirnov' | 'chi-squared';
  readonly pValue: number;
  /** In [0, 1]: D for numbers, Cramer's V for categories. */
  readonly effect: number;
  readonly psi: StabilityIndex;
  /** To base 2, in [0, 1], over the same cells as the PSI. */
  readonly jensenShannon: number;
  /** Rows with a value. */
  readonly referenceRows: number;
  readonly currentRows: number;
  /** Current rows where the reference has none: in a cell or, for categories, outside the list (`other`). */
  readonly unseenRows: number;
  /** Every reference value lies in one cell: there is no spread to judge a shift by, only whether the value was left. */
  readonly constantReference: boolean;
}

/** How the share of rows without a value compares with the reference. */
export interface MissingMeasure {
  /** Two-proportion test (Pearson, 2 x 2). Undefined where none or all rows of both sides have a value: nothing can differ. */
  readonly pValue: number | undefined;
  /** Difference of the shares, in [0, 1]. */
  readonly effect: number;
  /** All rows, with a value or without. */
  readonly referenceRows: number;
  readonly currentRows: number;
  /** Shares of rows without a value, in [0, 1]. */
  readonly referenceNullShare: number;
  readonly currentNullShare: number;
}

/** One column, looked at twice: what its values are, and how often there is one. Undefined where nothing can be measured. */
export interface ColumnMeasure {
  readonly values: DriftMeasure | undefined;
  readonly missing: MissingMeasure | undefined;
}

/** Cells of the stability index: the usual number of deciles, and so many rows of the smaller set in each at least. */
const stabilityGroups = 10;
const rowsPerGroup = 5;

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
    unseenRows: current.counts.reduce((sum, count, cell) => (reference.counts[cell] === 0 ? sum + count : sum), 0),
    constantReference: reference.counts.filter((count) => count > 0).length === 1,
  };
}

/**
 * Compares counts over the same list of categories; `other` is a category of its own, so values never seen before count in
 * the test and are reported besides. Undefined when a side has no values.
 */
export function compareCategories(reference: CategoryCounts, current: CategoryCounts): DriftMeasure | undefined {
  const a = [...reference.counts, reference.other];
  const b = [...current.counts, current.other];
  const test = testHomogeneity(a, b);
  const psi = populationStabilityIndex(a, b);
  const jensenShannon = jensenShannonDistance(a, b);
  if (test === undefined || psi === undefined || jensenShannon === undefined) return undefined;
  return {
    method: 'chi-squared',
    pValue: test.pValue,
    effect: test.cramersV,
    psi,
    jensenShannon,
    referenceRows: test.referenceRows,
    currentRows: test.currentRows,
    unseenRows: a.reduce((sum, count, place) => (count === 0 ? sum + (b[place] as number) : sum), 0),
    constantReference: a.filter((count) => count > 0).length <= 1,
  };
}

interface Presence {
  readonly values: number;
  readonly nulls: number;
}

/** Compares how many rows lack a value. Undefined when a side has no rows. */
export function compareMissing(reference: Presence, current: Presence): MissingMeasure | undefined {
  const test = testHomogeneity([reference.values, reference.nulls], [current.values, current.nulls], {
    minExpected: 0,
  });
  if (test === undefined) return undefined;
  const referenceNullShare = reference.nulls / test.referenceRows;
  const currentNullShare = current.nulls / test.currentRows;
  return {
    pValue: test.degreesOfFreedom === 0 ? undefined : test.pValue,
    effect: Math.abs(currentNullShare - referenceNullShare),
    referenceRows: test.referenceRows,
    currentRows: test.currentRows,
    referenceNullShare,
    currentNullShare,
  };
}

export const measureNumbers = (reference: CellCounts, current: CellCounts): ColumnMeasure => ({
  values: compareNumbers(reference, current),
  missing: compareMissing(
    { values: countValues(reference), nulls: reference.nulls },
    { values: countValues(current), nulls: current.nulls },
  ),
});

export const measureCategories = (reference: CategoryCounts, current: CategoryCounts): ColumnMeasure => ({
  values: compareCategories(reference, current),
  missing: compareMissing(
    { values: countCategorised(reference), nulls: reference.nulls },
    { values: countCategorised(current), nulls: current.nulls },
  ),
});

export interface DriftRule {
  /** Bound on the expected share of false findings among the drifted columns of one judgement. */
  readonly alpha: number;
  /** Least effect that matters, in [0, 1]: with many rows anything is significant. */
  readonly minEffect: number;
  /** Least rows on either side. */
  readonly minRows: number;
}

export const defaultDriftRule: DriftRule = { alpha: 0.05, minEffect: 0.1, minRows: 100 };

export type DriftMethod = DriftMeasure['method'] | 'missing';

export interface DriftVerdict {
  readonly state: 'drifted' | 'stable' | 'not-enough-data';
  /** The test that the verdict rests on: `missing` when it is the share of rows without a value that differs. */
  readonly method?: DriftMethod;
  /** Benjamini-Hochberg over all tests that had enough data; undefined without any. */
  readonly adjustedPValue?: number;
  readonly reason: string;
}

type Tested = DriftVerdict & { readonly effect: number };

const effectNames = { 'kolmogorov-smirnov': 'D', 'chi-squared': "Cramer's V", missing: 'difference' } as const;

const figure = (value: number): string => (value >= 0.001 || value === 0 ? value.toFixed(3) : value.toExponential(1));
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/**
 * Judges the columns of one comparison together, in the order given. A test finds drift when adjusted p < alpha AND effect
 * >= minEffect AND both sides have minRows: rows with a value for the test of the values, all rows for that of the missing
 * share. A column drifts by either; when both find something, the greater effect speaks. Tests without enough data, and
 * those in which nothing can differ, are no part of the correction.
 */
export function judgeDrift(columns: readonly ColumnMeasure[], rule: DriftRule = defaultDriftRule): DriftVerdict[] {
  const enough = ({ referenceRows, currentRows }: { readonly referenceRows: number; readonly currentRows: number }) =>
    Math.min(referenceRows, currentRows) >= rule.minRows;
  const tests = columns.flatMap(({ values, missing }, column) => [
    ...(values !== undefined && enough(values) ? [{ ...values, column, note: noteOf(values) }] : []),
    ...(missing?.pValue !== undefined && enough(missing)
      ? [{ ...missing, method: 'missing', pValue: missing.pValue, column, note: missingNote(missing) } as const]
      : []),
  ]);
  const adjusted = adjustBenjaminiHochberg(tests.map(({ pValue }) => pValue));
  const judged = tests.map(({ method, effect, note, column }, place) => ({
    column,
    ...judgeTest({ method, effect, note, adjustedPValue: adjusted[place] as number }, rule),
  }));
  return columns.map(({ values }, column): DriftVerdict => {
    const [first, ...others] = judged
      .filter((test) => test.column === column && (test.state === 'drifted' || test.method !== 'missing'))
      .toSorted((a, b) => Number(b.state === 'drifted') - Number(a.state === 'drifted') || b.effect - a.effect);
    if (first === undefined) {
      const has =
        values === undefined
          ? 'a side has no values'
          : `${values.referenceRows} reference and ${values.currentRows} current values`;
      return { state: 'not-enough-data', reason: `${has}; at least ${rule.minRows} of each are needed` };
    }
    const { state, method, adjustedPValue } = first;
    const reasons = [first, ...others.filter((other) => other.state === 'drifted')].map(({ reason }) => reason);
    return { state, method, adjustedPValue, reason: reasons.join('; ') };
  });
}

const noteOf = ({ constantReference }: DriftMeasure): string =>
  constantReference ? '; the reference has one value only' : '';

const missingNote = ({ referenceNullShare, currentNullShare }: MissingMeasure): string =>
  `; ${percent(currentNullShare)} of the rows have no value, ${percent(referenceNullShare)} of the reference`;

function judgeTest(
  test: {
    readonly method: DriftMethod;
    readonly effect: number;
    readonly note: string;
    readonly adjustedPValue: number;
  },
  rule: DriftRule,
): Required<Tested> {
  const { method, adjustedPValue } = test;
  const effect = `${effectNames[method]} ${figure(test.effect)}`;
  const p = `adjusted p ${figure(adjustedPValue)}`;
  const verdict = { method, effect: test.effect, adjustedPValue };
  if (adjustedPValue >= rule.alpha)
    return { ...verdict, state: 'stable', reason: `${p} is not below ${rule.alpha} (${effect})` };
  if (test.effect < rule.minEffect)
    return { ...verdict, state: 'stable', reason: `${effect} is below ${rule.minEffect}: too small to matter` };
  return {
    ...verdict,
    state: 'drifted',
    reason: `${effect} is at least ${rule.minEffect} and ${p} is below ${rule.alpha}${test.note}`,
  };
}
