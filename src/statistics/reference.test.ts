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

function expectClose(actual: number | undefined, expected: number, relative = 1e-12): void {
  expect(actual).toBeDefined();
  expect(Math.abs((actual ?? Number.NaN) - expected)).toBeLessThanOrEqual(relative * Math.abs(expected) + 1e-14);
}

describe('equal scipy and scikit-learn', () => {
  test('AUC with variance and interval, log-loss, Brier score, F1, expected calibration error', () => {
    for (const { labels, scores, ...expected } of reference.classification) {
      const auc = computeAuc(labels, scores);
      const found = classificationMetrics(labels, scores);
      if (auc === undefined || found === undefined) throw new Error('both classes have rows');
      expectClose(auc.auc, expected.auc);
      if (expected.variance === null) expect(auc.variance).toBeUndefined();
      else expectClose(auc.variance, expected.variance);
      if (expected.interval !== null) {
        const { lower, upper } = aucInterval(auc, 0.95);
        expectClose(lower, expected.interval[0], 1e-10);
        expectClose(upper, expected.interval[1], 1e-10);
      }
      expectClose(found.logLoss.value, expected.logLoss);
      expectClose(found.brier.value, expected.brier);
      // Where nothing is called positive and nothing is, there is no F1; scikit-learn was told to say 0.
      expectClose(found.f1?.value ?? 0, expected.f1);
      expectClose(found.calibration.expectedError.value, expected.expectedCalibrationError);
    }
  });

  test('the Kolmogorov-Smirnov test', () => {
    for (const { reference: first, current, d, pValue } of reference.kolmogorovSmirnov) {
      const found = testKolmogorovSmirnov(first, current);
      expectClose(found?.d, d);
      expectClose(found?.pValue, pValue, 1e-9);
    }
  });

  test('the chi-squared test without pooling, and the stability index', () => {
    for (const { reference: first, current, ...expected } of reference.counts) {
      const found = testHomogeneity(first, current, { minExpected: 0 });
      expectClose(found?.statistic, expected.statistic, 1e-11);
      expect(found?.degreesOfFreedom).toBe(expected.degreesOfFreedom);
      expectClose(found?.pValue, expected.pValue, 1e-9);
      expectClose(populationStabilityIndex(first, current)?.value, expected.stabilityIndex, 1e-11);
    }
  });

  test('Benjamini-Hochberg', () => {
    for (const { pValues, adjusted } of reference.benjaminiHochberg)
      for (const [place, found] of adjustBenjaminiHochberg(pValues).entries())
        expectClose(found, adjusted[place] ?? Number.NaN);
  });

  test('the paired bootstrap: the difference exactly, its interval as far as other random draws allow', () => {
    for (const { metric, labels, first, second, ...expected } of reference.paired) {
      const found = pairedBootstrap({ labels, first, second }, { metric, resamples: 4000, seed: 1 });
      if (found === undefined) throw new Error('both classes have rows');
      expectClose(found.difference, expected.difference, 1e-11);
      // The deviation of a 2.5 % quantile of 4000 draws is 0.042 of theirs; of the difference of two such 0.06.
      const tolerance = 0.25 * expected.deviation;
      expect(Math.abs(found.interval.lower - expected.interval[0])).toBeLessThan(tolerance);
      expect(Math.abs(found.interval.upper - expected.interval[1])).toBeLessThan(tolerance);
    }
  });
});
