import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { aucInterval, computeAuc } from './auc.ts';
import { testHomogeneity } from './chi-squared.ts';
import { classificationMetrics } from './classification.ts';
import { populationStabilityIndex } from './distances.ts';
import { testKolmogorovSmirnov } from './kolmogorov-smirnov.ts';
import { adjustBenjaminiHochberg } from './multiple-testing.ts';
import { pairedBootstrap } from './paired.ts';

// scipy, scikit-learn and numpy on random rows with ties and tiny n: `fixtures/make-reference.py` made them.
interface Reference {
  readonly classification: readonly {
    readonly labels: number[];
    readonly scores: number[];
    readonly auc: number;
    readonly variance: number | null;
    readonly interval: readonly [number, number] | null;
    readonly logLoss: number;
    readonly brier: number;
    readonly f1: number;
    readonly expectedCalibrationError: number;
  }[];
  readonly kolmogorovSmirnov: readonly {
    readonly reference: number[];
    readonly current: number[];
    readonly d: number;
    readonly pValue: number;
  }[];
  readonly counts: readonly {
    readonly reference: number[];
    readonly current: number[];
    readonly statistic: number;
    readonly degreesOfFreedom: number;
    readonly pValue: number;
    readonly stabilityIndex: number;
  }[];
  readonly benjaminiHochberg: readonly { readonly pValues: number[]; readonly adjusted: readonly number[] }[];
  readonly paired: readonly {
    readonly metric: 'auc' | 'log-loss';
    readonly labels: number[];
    readonly first: number[];
    readonly second: number[];
    readonly difference: number;
    readonly interval: readonly [number, number];
    readonly deviation: number;
  }[];
}
const reference = JSON.parse(readFileSync(new URL('./fixtures/reference.json', import.meta.url), 'utf8')) as Reference;

/** Relative, for small numbers absolute; both without a value is no error. */
function errorOf(actual: number | undefined, expected: number | null | undefined): number {
  if (actual === undefined && (expected === undefined || expected === null)) return 0;
  const error = Math.abs((actual ?? Number.NaN) - (expected ?? Number.NaN)) / Math.max(Math.abs(expected ?? 0), 0.01);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

describe('equal scipy and scikit-learn', () => {
  test('AUC with variance and interval, log-loss, Brier score, F1, expected calibration error', () => {
    for (const { labels, scores, ...expected } of reference.classification) {
      const auc = computeAuc(labels, scores);
      const found = classificationMetrics(labels, scores);
      if (auc === undefined || found === undefined) throw new Error('both classes have rows');
      expect(errorOf(auc.auc, expected.auc)).toBeLessThan(1e-12);
      expect(errorOf(auc.variance, expected.variance)).toBeLessThan(1e-12);
      const { lower, upper } = aucInterval(auc, 0.95);
      // Where a variance is not known or 0 the interval is another's: auc.test.ts has it.
      expect(errorOf(expected.interval === null ? undefined : lower, expected.interval?.[0])).toBeLessThan(1e-10);
      expect(errorOf(expected.interval === null ? undefined : upper, expected.interval?.[1])).toBeLessThan(1e-10);
      expect(errorOf(found.logLoss.value, expected.logLoss)).toBeLessThan(1e-12);
      expect(errorOf(found.brier.value, expected.brier)).toBeLessThan(1e-12);
      // Where nothing is called positive and nothing is, there is no F1; scikit-learn was told to say 0.
      expect(errorOf(found.f1?.value ?? 0, expected.f1)).toBeLessThan(1e-12);
      expect(errorOf(found.calibration.expectedError.value, expected.expectedCalibrationError)).toBeLessThan(1e-12);
    }
  });

  test('the Kolmogorov-Smirnov test', () => {
    for (const { reference: first, current, d, pValue } of reference.kolmogorovSmirnov) {
      const found = testKolmogorovSmirnov(first, current);
      expect(errorOf(found?.d, d)).toBeLessThan(1e-12);
      expect(errorOf(found?.pValue, pValue)).toBeLessThan(1e-9);
    }
  });

  test('the chi-squared test without pooling, and the stability index', () => {
    for (const { reference: first, current, ...expected } of reference.counts) {
      const found = testHomogeneity(first, current, { minExpected: 0 });
      expect(errorOf(found?.statistic, expected.statistic)).toBeLessThan(1e-11);
      expect(found?.degreesOfFreedom).toBe(expected.degreesOfFreedom);
      expect(errorOf(found?.pValue, expected.pValue)).toBeLessThan(1e-9);
      expect(errorOf(populationStabilityIndex(first, current)?.value, expected.stabilityIndex)).toBeLessThan(1e-11);
    }
  });

  test('Benjamini-Hochberg', () => {
    for (const { pValues, adjusted } of reference.benjaminiHochberg)
      for (const [place, found] of adjustBenjaminiHochberg(pValues).entries())
        expect(errorOf(found, adjusted[place])).toBeLessThan(1e-12);
  });

  test('the paired bootstrap: the difference exactly, its interval as far as other random draws allow', () => {
    for (const { metric, labels, first, second, ...expected } of reference.paired) {
      const found = pairedBootstrap({ labels, first, second }, { metric, resamples: 4000, seed: 1 });
      if (found === undefined) throw new Error('both classes have rows');
      expect(errorOf(found.difference, expected.difference)).toBeLessThan(1e-11);
      // The deviation of a 2.5 % quantile of 4000 draws is 0.042 of theirs; of the difference of two such 0.06.
      const tolerance = 0.25 * expected.deviation;
      expect(Math.abs(found.interval.lower - expected.interval[0])).toBeLessThan(tolerance);
      expect(Math.abs(found.interval.upper - expected.interval[1])).toBeLessThan(tolerance);
    }
  });
});
