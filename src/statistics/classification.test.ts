import { expect, test } from 'vitest';
import { classificationMetrics, decisionMetrics } from './classification.ts';
import { scoredRows } from './scored-rows.ts';

const { labels, first } = scoredRows(400, 7);

test('all metrics agree with scikit-learn 1.9.1', () => {
  const metrics = classificationMetrics(labels, first, { threshold: 0.4, confidence: 0.9 });
  expect(metrics?.auc?.value).toBeCloseTo(0.6784141553480474, 12);
  expect(metrics?.logLoss.value).toBeCloseTo(0.8786362141166822, 12);
  expect(metrics?.brier.value).toBeCloseTo(0.24047249999999998, 12);
  expect(metrics?.accuracy?.value).toBeCloseTo(0.6125, 12);
  expect(metrics?.precision?.value).toBeCloseTo(0.4935064935064935, 12);
  expect(metrics?.recall?.value).toBeCloseTo(0.75, 12);
  expect(metrics?.f1?.value).toBeCloseTo(0.5953002610966057, 12);
  expect(metrics?.confusion).toEqual({
    trueNegatives: 131,
    falsePositives: 117,
    falseNegatives: 38,
    truePositives: 114,
  });
  expect(metrics).toMatchObject({ n: 400, positives: 152 });
});

test('the log loss has the interval of a mean (scipy 1.17.1), and a sure miss costs 36, not infinity', () => {
  const metrics = classificationMetrics(labels, first, { confidence: 0.9 });
  expect(metrics?.logLoss.interval?.lower).toBeCloseTo(0.6639273631030432, 10);
  expect(metrics?.logLoss.interval?.upper).toBeCloseTo(1.0933450651303211, 10);
  expect(classificationMetrics([1], [0])?.logLoss.value).toBeCloseTo(36.04, 2);
  expect(classificationMetrics([0], [1])?.logLoss.value).toBeCloseTo(36.04, 2);
});

test('the interval of F1 holds it and stays in [0, 1]', () => {
  const { f1 } = decisionMetrics(
    { truePositives: 30, falsePositives: 10, falseNegatives: 20, trueNegatives: 940 },
    0.95,
  );
  expect(f1?.value).toBeCloseTo(2 / 3, 12);
  expect(f1?.n).toBe(60);
  // Wilson for 30 of 60 is [0.3774, 0.6226]; 2 J / (1 + J).
  expect(f1?.interval?.lower).toBeCloseTo(0.548, 3);
  expect(f1?.interval?.upper).toBeCloseTo(0.7674, 3);
});

test('metrics without a denominator are left out, not 0', () => {
  const metrics = classificationMetrics([0, 0], [0.1, 0.2]);
  expect(metrics).not.toHaveProperty('auc');
  expect(metrics).not.toHaveProperty('precision');
  expect(metrics).not.toHaveProperty('recall');
  expect(metrics).not.toHaveProperty('f1');
  expect(metrics?.accuracy?.value).toBe(1);
  expect(classificationMetrics([], [])).toBeUndefined();
});
