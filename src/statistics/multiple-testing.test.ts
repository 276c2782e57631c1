import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adjustBenjaminiHochberg } from './multiple-testing.ts';

test('adjusted p-values agree with scipy 1.17.1 false_discovery_control', () => {
  const adjusted = adjustBenjaminiHochberg([0.01, 0.04, 0.03, 0.2, 0.005, 0.9, 0.04]);
  [0.035, 0.056, 0.056, 0.23333333333333336, 0.035, 0.9, 0.056].forEach((expected, index) => {
    expect(adjusted[index]).toBeCloseTo(expected, 14);
  });
  expect(adjustBenjaminiHochberg([])).toEqual([]);
  expect(() => adjustBenjaminiHochberg([Number.NaN])).toThrow(RangeError);
});

test('adjusting keeps the order, never lowers a p-value, never passes 1, and does not look at positions', () => {
  const pValues = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(pValues, (given) => {
      const adjusted = adjustBenjaminiHochberg(given);
      given.forEach((p, i) => {
        expect(adjusted[i]).toBeGreaterThanOrEqual(p);
        expect(adjusted[i]).toBeLessThanOrEqual(1);
        given.forEach((q, j) => {
          expect(p > q || (adjusted[i] as number) <= (adjusted[j] as number)).toBe(true);
        });
      });
      expect(adjustBenjaminiHochberg(given.toReversed())).toEqual(adjusted.toReversed());
    }),
  );
});
