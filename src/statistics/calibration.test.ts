import fc from 'fast-check';
import { expect, test } from 'vitest';
import { computeCalibration, scoreBinOf } from './calibration.ts';
import { createRandom } from './random.ts';
import { scoredRows } from './scored-rows.ts';

test('the expected error and its bins agree with numpy', () => {
  const { labels, first } = scoredRows(400, 7);
  const calibration = computeCalibration(labels, first, { confidence: 0.9 });
  expect(calibration?.expectedError.value).toBeCloseTo(0.1415, 12);
  expect(calibration?.bins[3]).toMatchObject({ n: 43 });
  expect(calibration?.bins[3]?.positiveShare).toBeCloseTo(0.3488372093023256, 12);
  expect(calibration?.bins[3]?.meanScore).toBeCloseTo(0.35093023255813954, 12);
});

test('a score on an edge lies in the upper bin however the computer rounds it, and 1 in the last', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.nat(2000), (bins, k) => {
      fc.pre(k < bins);
      expect(scoreBinOf(k / bins, bins)).toBe(k);
    }),
  );
  expect(scoreBinOf(0.29, 100)).toBe(29);
  expect(scoreBinOf(1, 1000)).toBe(999);
  expect(scoreBinOf(Math.fround(0.7), 10)).toBe(6);
});

test('well calibrated scores have an error of the size of its noise, and their interval reaches 0', () => {
  const random = createRandom(3);
  const scores = Array.from({ length: 2000 }, random.nextFloat);
  const labels = scores.map((score) => (random.nextFloat() < score ? 1 : 0));
  const calibration = computeCalibration(labels, scores);
  expect(calibration?.expectedError.value).toBeLessThan(2 * (calibration?.noise ?? 0));
  expect(calibration?.expectedError.interval?.lower).toBeLessThan(0.01);
  expect(Math.abs(calibration?.bias.value ?? 1)).toBeLessThan(0.03);
});

test('scores that promise too much have a negative bias and an error with a lower bound above 0', () => {
  const random = createRandom(3);
  const scores = Array.from({ length: 2000 }, () => 0.3 + random.nextFloat() / 2);
  const labels = scores.map((score) => (random.nextFloat() < score - 0.2 ? 1 : 0));
  const calibration = computeCalibration(labels, scores);
  expect(calibration?.bias.interval?.upper).toBeLessThan(-0.15);
  expect(calibration?.expectedError.interval?.lower).toBeGreaterThan(0.1);
  expect(calibration?.greatestError).toBeGreaterThanOrEqual(calibration?.expectedError.value ?? 1);
});

test('an empty bin has no shares, no rows no calibration, and a score outside [0, 1] is named', () => {
  expect(computeCalibration([1], [0.95])?.bins[0]).toEqual({ lower: 0, upper: 0.1, n: 0 });
  expect(computeCalibration([], [])).toBeUndefined();
  expect(() => computeCalibration([1, 1], [0.2, 1.5])).toThrow('score 1 is 1.5');
  expect(computeCalibration([1], [1.0000001])?.bins[9]?.meanScore).toBe(1);
});
