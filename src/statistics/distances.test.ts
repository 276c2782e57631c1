import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jensenShannonDistance, populationStabilityIndex } from './distances.ts';

const counts = fc.array(fc.tuple(fc.nat(200), fc.nat(200)), { minLength: 1, maxLength: 20 });

test('the stability index is the sum over cells with half a row added', () => {
  // numpy: p = (ref + .5) / sum, q = (cur + .5) / sum, sum((q - p) * log(q / p))
  expect(populationStabilityIndex([40, 30, 20, 10], [10, 35, 22, 3])?.value).toBeCloseTo(0.4386609096919226, 12);
  // With many rows the half row does not show: plain PSI 0.4669968667639714.
  const many = populationStabilityIndex([40e6, 30e6, 20e6, 10e6], [10e6, 35e6, 22e6, 3e6]);
  expect(many?.value).toBeCloseTo(0.4669968667639714, 6);
});

test('the Jensen-Shannon distance agrees with scipy 1.17.1, empty cells and all', () => {
  expect(jensenShannonDistance([40, 30, 20, 10, 0, 5], [10, 35, 22, 3, 6, 0])).toBeCloseTo(0.37398807304516507, 12);
  expect(jensenShannonDistance([1, 0], [0, 7])).toBe(1);
});

test('both are finite, never negative, 0 for equal shares, symmetric, and blind to cells empty in both sets', () => {
  fc.assert(
    fc.property(counts, (pairs) => {
      const a = pairs.map(([x]) => x);
      const b = pairs.map(([, y]) => y);
      fc.pre(Math.max(...a) > 0 && Math.max(...b) > 0);
      for (const distance of [
        (x: number[], y: number[]) => populationStabilityIndex(x, y)?.value,
        jensenShannonDistance,
      ]) {
        const value = distance(a, b);
        if (value === undefined) throw new Error('both sets have rows');
        expect(Number.isFinite(value)).toBe(true);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(distance(b, a)).toBeCloseTo(value, 10);
        expect(distance([...a, 0, 0], [...b, 0, 0])).toBeCloseTo(value, 12);
        expect(distance(a, a)).toBeCloseTo(0, 12);
      }
    }),
  );
});

test('an empty set has no distance, and sets over other cells are refused', () => {
  expect(populationStabilityIndex([0], [1])).toBeUndefined();
  expect(jensenShannonDistance([], [])).toBeUndefined();
  expect(() => populationStabilityIndex([1], [1, 2])).toThrow(RangeError);
});
