import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeMoments, momentsOf, noMoments, standardizedMeanShift, varianceOf } from './moments.ts';

test('variance survives an offset of a thousand million', () => {
  expect(varianceOf(momentsOf([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]))).toBe(30);
});

test('moments of parts merge to the moments of the whole, in any grouping', () => {
  const part = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 30 });
  fc.assert(
    fc.property(part, part, part, (a, b, c) => {
      const whole = momentsOf([...a, ...b, ...c]);
      for (const merged of [
        mergeMoments(mergeMoments(momentsOf(a), momentsOf(b)), momentsOf(c)),
        mergeMoments(momentsOf(a), mergeMoments(momentsOf(b), momentsOf(c))),
      ]) {
        expect(merged.n).toBe(whole.n);
        expect(merged.mean).toBeCloseTo(whole.mean, 6);
        expect(Math.abs(merged.squares - whole.squares)).toBeLessThanOrEqual(1e-9 * whole.squares + 1e-6);
      }
    }),
  );
  expect(mergeMoments(noMoments, noMoments)).toEqual(noMoments);
});

test('a shift of the mean is measured in standard deviations, so a column with mean zero has a scale', () => {
  const reference = momentsOf([-2, -1, 0, 1, 2]);
  expect(standardizedMeanShift(reference, momentsOf([-1.84, -0.84, 0.16, 1.16, 2.16]))).toBeCloseTo(0.1012, 4);
  expect(standardizedMeanShift(momentsOf([3, 3, 3]), momentsOf([4]))).toBeUndefined();
  expect(standardizedMeanShift(reference, noMoments)).toBeUndefined();
});
