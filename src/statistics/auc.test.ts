import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aucEstimate, aucInterval, compareAuc, computeAuc, hanleyMcNeilVariance } from './auc.ts';
import { createRandom } from './random.ts';
import { scoredRows } from './scored-rows.ts';

const { labels, first, second } = scoredRows(400, 7);

test('the AUC agrees with scikit-learn 1.9.1, and its variance with DeLong by all pairs in numpy', () => {
  const statistics = computeAuc(labels, first);
  expect(statistics?.auc).toBeCloseTo(0.6784141553480474, 13);
  expect(statistics?.variance).toBeCloseTo(0.000745404675851626, 13);
  expect(statistics).toMatchObject({ positives: 152, negatives: 248 });
  expect(computeAuc(labels, second)?.variance).toBeCloseTo(0.0008006835524688152, 13);
});

test('its interval is symmetric on the logit scale', () => {
  const estimate = aucEstimate(computeAuc(labels, first) ?? { auc: 0, positives: 0, negatives: 0 }, 0.9);
  expect(estimate.n).toBe(400);
  expect(estimate.interval?.lower).toBeCloseTo(0.6319642198564839, 10);
  expect(estimate.interval?.upper).toBeCloseTo(0.7215843705423385, 10);
});

test('a perfect order of few rows is no certainty', () => {
  const statistics = computeAuc([0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8, 0.9]);
  expect(statistics).toMatchObject({ auc: 1, variance: 0 });
  const interval = aucInterval(statistics ?? { auc: 0, positives: 0, negatives: 0 }, 0.95);
  expect(interval.upper).toBe(1);
  expect(interval.lower).toBeLessThan(0.5);
});

test('one class has no AUC, one row of a class no variance, bad rows are named', () => {
  expect(computeAuc([1, 1], [0.1, 0.2])).toBeUndefined();
  expect(computeAuc([1, 0, 0], [0.3, 0.2, 0.4])).toEqual({ auc: 0.5, positives: 1, negatives: 2 });
  expect(() => computeAuc([1, 2], [0.1, 0.2])).toThrow('label 1 is 2');
  expect(() => computeAuc([1, 0], [0.1, Number.NaN])).toThrow('score 1 is not a number');
});

const rows = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 10 })), {
  minLength: 2,
  maxLength: 60,
});

test('the AUC is what all pairs say, and turns into its complement when labels or scores are flipped', () => {
  fc.assert(
    fc.property(rows, (pairs) => {
      const y = pairs.map(([label]) => label);
      const s = pairs.map(([, score]) => score);
      const auc = computeAuc(y, s)?.auc;
      let wins = 0;
      let all = 0;
      for (const [a, p] of pairs) {
        for (const [b, q] of pairs) {
          if (a !== 1 || b !== 0) continue;
          all += 1;
          wins += p > q ? 1 : p === q ? 0.5 : 0;
        }
      }
      expect(auc ?? -1).toBeCloseTo(all === 0 ? -1 : wins / all, 12);
      if (auc === undefined) return;
      const flipped = computeAuc(
        y.map((label) => 1 - label),
        s,
      );
      expect(flipped?.auc).toBeCloseTo(1 - auc, 12);
      expect(
        computeAuc(
          y,
          s.map((score) => -score),
        )?.auc,
      ).toBeCloseTo(1 - auc, 12);
      expect(flipped?.variance ?? 0).toBeCloseTo(computeAuc(y, s)?.variance ?? 0, 12);
      expect(computeAuc(y.toReversed(), s.toReversed())?.auc).toBe(auc);
    }),
  );
});

test('the interval covers the true AUC about as often as it says', () => {
  // Scores of label 1 are uniform to the power 1/2: P(positive above negative) = 2/3 exactly.
  const random = createRandom(5);
  let covered = 0;
  for (let run = 0; run < 400; run += 1) {
    const y = Array.from({ length: 150 }, (_, i) => (i < 50 ? 1 : 0));
    const s = y.map((label) => (label === 1 ? Math.sqrt(random.nextFloat()) : random.nextFloat()));
    const interval = aucInterval(computeAuc(y, s) ?? { auc: 0, positives: 1, negatives: 1 }, 0.9);
    if (interval.lower <= 2 / 3 && interval.upper >= 2 / 3) covered += 1;
  }
  expect(covered / 400).toBeGreaterThan(0.85);
  expect(covered / 400).toBeLessThan(0.95);
});

test("DeLong's paired test agrees with all pairs in numpy and scipy 1.17.1", () => {
  const comparison = compareAuc(labels, first, second, 0.95);
  expect(comparison?.difference).toBeCloseTo(-0.02642190152801349, 12);
  expect(comparison?.pValue).toBeCloseTo(0.15341271418984875, 10);
  expect(comparison?.interval.lower).toBeCloseTo(-0.0626972532803541, 10);
  expect(comparison?.n).toBe(400);
});

test('scores that order rows alike do not differ, and a comparison turned round changes its sign', () => {
  expect(compareAuc(labels, first, first.map(Math.exp), 0.95)).toMatchObject({ difference: 0, pValue: 1 });
  const forth = compareAuc(labels, first, second, 0.9);
  const back = compareAuc(labels, second, first, 0.9);
  expect(back?.difference).toBeCloseTo(-(forth?.difference ?? Number.NaN), 14);
  expect(back?.pValue).toBeCloseTo(forth?.pValue ?? Number.NaN, 14);
  expect(compareAuc([1, 0], [0.5, 0.5], [0.1, 0.2], 0.9)).toBeUndefined();
});

test("Hanley and McNeil's standard error agrees with their own example", () => {
  // Hanley, McNeil 1982, table II: AUC 0.893, 51 abnormal and 58 normal images, SE 0.032.
  expect(Math.sqrt(hanleyMcNeilVariance(0.893, 51, 58))).toBeCloseTo(0.03251158176764658, 14);
});
