import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countIntoCells, equalMassEdges } from './histogram.ts';
import { testKolmogorovSmirnov, testKolmogorovSmirnovOfCells } from './kolmogorov-smirnov.ts';
import { createRandom } from './random.ts';

test('D and p agree with scipy 1.17.1 ks_2samp(method="asymp"), with ties and with unequal sizes', () => {
  const tied = createRandom(3);
  const a = Array.from({ length: 100 }, () => Math.floor(tied.nextFloat() * 20) / 2);
  const b = Array.from({ length: 60 }, () => Math.floor(tied.nextFloat() ** 1.4 * 20) / 2);
  const withTies = testKolmogorovSmirnov(a, b);
  expect(withTies?.d).toBeCloseTo(0.12, 14);
  expect(withTies?.pValue).toBeCloseTo(0.6020572874311022, 10);

  const random = createRandom(4);
  const reference = Array.from({ length: 2000 }, random.nextFloat);
  const current = Array.from({ length: 500 }, () => random.nextFloat() + 0.05);
  const shifted = testKolmogorovSmirnov(reference, current);
  expect(shifted?.d).toBeCloseTo(0.0835, 14);
  expect(shifted?.pValue).toBeCloseTo(0.007111872592480963, 12);
  expect(shifted).toMatchObject({ referenceRows: 2000, currentRows: 500 });
});

const values = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 60 });

test('the test is symmetric, does not look at the order of rows, and ignores a monotone change of scale', () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      const result = testKolmogorovSmirnov(a, b);
      expect(testKolmogorovSmirnov(b, a)?.d).toBe(result?.d);
      expect(testKolmogorovSmirnov(a.toReversed(), b.toReversed())).toEqual(result);
      expect(testKolmogorovSmirnov(a.map(Math.exp), b.map(Math.exp))).toEqual(result);
      expect(testKolmogorovSmirnov(a, a)).toMatchObject({ d: 0, pValue: 1 });
    }),
  );
});

test('D of cells is at most D of the values, and equal to it with an edge between all values', () => {
  fc.assert(
    fc.property(values, values, fc.integer({ min: 2, max: 20 }), (a, b, bins) => {
      const raw = testKolmogorovSmirnov(a, b)?.d ?? Number.NaN;
      const binned = (edges: readonly number[]): number =>
        testKolmogorovSmirnovOfCells(countIntoCells(a, edges).counts, countIntoCells(b, edges).counts)?.d ?? Number.NaN;
      expect(binned(equalMassEdges(Float64Array.from(a).toSorted(), bins))).toBeLessThanOrEqual(raw + 1e-12);
      expect(binned(Array.from({ length: 60 }, (_, i) => i - 30.5))).toBeCloseTo(raw, 12);
    }),
  );
});

test('an empty set has no test, and a value that is not a number is named', () => {
  expect(testKolmogorovSmirnov([], [1])).toBeUndefined();
  expect(testKolmogorovSmirnovOfCells([0, 0], [1, 0])).toBeUndefined();
  expect(() => testKolmogorovSmirnov([1, Number.NaN], [1])).toThrow('value 1 of the reference set');
  expect(() => testKolmogorovSmirnovOfCells([1], [1, 0])).toThrow(RangeError);
});
