import { expect, test } from 'vitest';
import { kolmogorovUpperTail } from './kolmogorov.ts';

// scipy 1.17.1: stats.kstwo.sf(d, n).
const reference = [
  [5, 0.15, 0.9988],
  [5, 0.3, 0.664],
  [5, 0.9, 1.9999999999999978e-5],
  [20, 0.04, 0.9999999999991517],
  [20, 0.2, 0.352720173623415],
  [140, 0.06, 0.6719092248862638],
  [140, 0.1, 0.11353657290090946],
  [140, 0.2, 2.1981563302200222e-5],
  [141, 0.1, 0.11128445516467933],
  [141, 0.13, 0.015449346308454497],
  [1000, 0.02, 0.8108971656895577],
  [1000, 0.03, 0.3226902143914636],
  [1000, 0.05, 0.013012074781090332],
  [1000, 0.3, 2.590715705736845e-80],
  [50_000, 0.004, 0.3994316646755731],
  [50_000, 0.006, 0.05442749636006261],
  [500_000, 0.002, 0.036582179671620585],
] as const;

test('the tail agrees with scipy in every region', () => {
  for (const [n, d, p] of reference) expect(Math.abs(kolmogorovUpperTail(n, d) / p - 1)).toBeLessThan(1e-9);
});

test('beyond 20,000 rows the short form is right to 2e-3', () => {
  for (const [n, d, p] of [
    [20_001, 0.0106, 0.02217905932216631],
    [20_001, 0.07, 1.1554983718971856e-85],
    [50_000, 0.02, 8.35587873542047e-18],
    [100_001, 0.0049, 0.016372003968362168],
    [500_000, 0.005, 2.767991769909747e-11],
    [500_000, 0.0136, 9.262293538843783e-81],
  ] as const) {
    expect(Math.abs(kolmogorovUpperTail(n, d) / p - 1)).toBeLessThan(2e-3);
  }
});

test('the tail falls from 1 to 0 as d grows, without a jump where the method changes', () => {
  for (const n of [1, 2, 30, 140, 141, 3000, 20_000, 20_001, 100_001]) {
    let last = 1;
    for (let t = 0; t <= 5; t += 0.05) {
      const p = kolmogorovUpperTail(n, t / Math.sqrt(n));
      expect(p).toBeLessThanOrEqual(last + 1e-5);
      expect(p).toBeGreaterThanOrEqual(0);
      expect(n < 30 || last - p < 0.15).toBe(true);
      last = p;
    }
  }
  expect(kolmogorovUpperTail(10, 0)).toBe(1);
  expect(kolmogorovUpperTail(10, 1)).toBe(0);
  expect(() => kolmogorovUpperTail(0, 0.5)).toThrow(RangeError);
});
