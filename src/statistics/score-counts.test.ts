import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classificationMetrics } from './classification.ts';
import { createRandom } from './random.ts';
import {
  aucResolution,
  countScored,
  countScores,
  emptyScoreCounts,
  mergeScoreCounts,
  metricsOfScoreCounts,
} from './score-counts.ts';
import { scoredRows } from './scored-rows.ts';

const rowsOf = (labels: readonly number[], scores: readonly number[]) =>
  labels.map((label, row) => ({ label, score: scores[row] }));

test('metrics from counts are the metrics of the rows when no bin mixes scores', () => {
  const { labels, first } = scoredRows(400, 7);
  const counts = countScores(rowsOf(labels, first));
  const fromCounts = metricsOfScoreCounts(counts, { threshold: 0.4, confidence: 0.9 });
  const fromRows = classificationMetrics(labels, first, { threshold: 0.4, confidence: 0.9 });
  expect(fromCounts?.confusion).toEqual(fromRows?.confusion);
  expect(fromCounts?.f1).toEqual(fromRows?.f1);
  expect(fromCounts?.auc?.value).toBeCloseTo(fromRows?.auc?.value ?? Number.NaN, 12);
  expect(fromCounts?.auc?.interval?.lower).toBeCloseTo(fromRows?.auc?.interval?.lower ?? Number.NaN, 12);
  for (const name of ['logLoss', 'brier'] as const) {
    expect(fromCounts?.[name].value).toBeCloseTo(fromRows?.[name].value ?? Number.NaN, 6);
    expect(fromCounts?.[name].interval?.upper).toBeCloseTo(fromRows?.[name].interval?.upper ?? Number.NaN, 5);
  }
  const gap = (fromCounts?.calibration.expectedError.value ?? 1) - (fromRows?.calibration.expectedError.value ?? 0);
  expect(Math.abs(gap)).toBeLessThan(0.0005 + 1e-12);
});

test('for continuous scores the AUC is within its stated resolution, far below its error', () => {
  const random = createRandom(2);
  const scores = Array.from({ length: 3000 }, () => random.nextFloat() ** 3);
  const labels = scores.map((score) => (random.nextFloat() < score ? 1 : 0));
  const counts = countScores(rowsOf(labels, scores));
  const exact = classificationMetrics(labels, scores);
  const resolution = aucResolution(counts);
  expect(Math.abs((metricsOfScoreCounts(counts)?.auc?.value ?? 0) - (exact?.auc?.value ?? 1))).toBeLessThanOrEqual(
    resolution,
  );
  expect(resolution).toBeLessThan(0.001);
});

test('merging is associative and exact, sums included', () => {
  const row = fc.record({
    label: fc.constantFrom(0, 1),
    score: fc.option(fc.double({ min: -0.1, max: 1.1 }), { freq: 10 }),
  });
  const rows = fc.array(row, { maxLength: 30 });
  fc.assert(
    fc.property(rows, rows, rows, (a, b, c) => {
      const [x, y, z] = [countScores(a, 20), countScores(b, 20), countScores(c, 20)] as const;
      const whole = countScores([...c, ...a, ...b], 20);
      expect(mergeScoreCounts(mergeScoreCounts(x, y), z)).toEqual(whole);
      expect(mergeScoreCounts(x, mergeScoreCounts(y, z))).toEqual(whole);
      expect(mergeScoreCounts(emptyScoreCounts(20), x)).toEqual(x);
      expect(countScored(whole) + whole.unscored).toBe(a.length + b.length + c.length);
    }),
  );
  expect(() => mergeScoreCounts(emptyScoreCounts(10), emptyScoreCounts(20))).toThrow(RangeError);
});

test('rows without a usable score count apart, another label is refused', () => {
  const counts = countScores([
    { label: 1, score: null },
    { label: 0, score: Number.NaN },
    { label: 0, score: 1.01 },
    { label: 1, score: 1 },
  ]);
  expect(counts.unscored).toBe(3);
  expect(counts.positives[999]).toBe(1);
  expect(() => countScores([{ label: 0.5, score: 0.5 }])).toThrow(RangeError);
  expect(metricsOfScoreCounts(emptyScoreCounts())).toBeUndefined();
});

test('a threshold between edges is refused, because its decisions could not be exact', () => {
  expect(() => metricsOfScoreCounts(emptyScoreCounts(10), { threshold: 0.55 })).toThrow('is no edge of 10');
  expect(() => metricsOfScoreCounts(emptyScoreCounts(10), { calibrationBins: 3 })).toThrow('do not divide');
});
