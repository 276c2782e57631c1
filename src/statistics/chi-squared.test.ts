import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testHomogeneity } from './chi-squared.ts';

test('statistic and p agree with scipy 1.17.1 chi2_contingency, with a category that either set lacks', () => {
  const result = testHomogeneity([40, 30, 20, 10, 0, 5], [10, 35, 22, 3, 6, 0], { minExpected: 0 });
  expect(result?.statistic).toBeCloseTo(29.35627346755167, 10);
  expect(result?.pValue).toBeCloseTo(1.973881128913911e-5, 14);
  expect(result?.degreesOfFreedom).toBe(5);
});

test('rare categories are taken together, and lose no rows', () => {
  const rare = Array.from({ length: 50 }, () => 1);
  const result = testHomogeneity([5000, 5000, ...rare], [50, 50, ...rare.fill(0, 1)]);
  expect(result?.pooled).toBeGreaterThan(0);
  expect(result?.degreesOfFreedom).toBe(2);
  expect(result).toMatchObject({ currentRows: 101 });
});

test('the effect does not depend on how unequal the sets are', () => {
  const small = testHomogeneity([500_000, 500_000], [350, 150])?.cramersV ?? Number.NaN;
  const equal = testHomogeneity([500_000, 500_000], [700_000, 300_000])?.cramersV ?? Number.NaN;
  expect(small).toBeCloseTo(equal, 2);
  expect(equal).toBeGreaterThan(0.2);
});

const run = (given: [number, number][]) =>
  testHomogeneity(
    given.map(([a]) => a),
    given.map(([, b]) => b),
  );

test('the effect lies in [0, 1]: 0 for equal shares, 1 with nothing in common; order of categories is nothing', () => {
  expect(testHomogeneity([70, 30], [7000, 3000])).toMatchObject({ statistic: 0, pValue: 1, cramersV: 0 });
  expect(testHomogeneity([1e6, 0], [0, 1e6])?.cramersV).toBeCloseTo(1, 5);
  const counts = fc.array(fc.tuple(fc.nat(100), fc.nat(100)), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(counts, (pairs) => {
      const result = run(pairs);
      const reversed = run(pairs.toReversed());
      expect(reversed === undefined).toBe(result === undefined);
      if (result === undefined || reversed === undefined) return;
      expect(reversed.statistic).toBeCloseTo(result.statistic, 8);
      expect(result.pValue).toBeGreaterThanOrEqual(0);
      expect(result.pValue).toBeLessThanOrEqual(1);
      expect(result.cramersV).toBeGreaterThanOrEqual(0);
      expect(result.cramersV).toBeLessThanOrEqual(1);
    }),
  );
});

test('a p-value far out is small, not 0', () => {
  const result = testHomogeneity([1000, 1000], [1000, 0]);
  expect(result?.pValue).toBeGreaterThan(0);
  expect(result?.pValue).toBeLessThan(1e-100);
});

test('one category cannot differ, an empty set has no test', () => {
  expect(testHomogeneity([5], [9])).toMatchObject({ pValue: 1, degreesOfFreedom: 0 });
  expect(testHomogeneity([0, 0], [9, 1])).toBeUndefined();
  expect(() => testHomogeneity([1], [1, 2])).toThrow(RangeError);
});
