import { expect, test } from 'vitest';
import {
  chiSquaredUpperTail,
  logGamma,
  normalQuantile,
  normalUpperTail,
  studentQuantile,
  upperGamma,
} from './distributions.ts';

// Reference values: scipy 1.17.1.
const isClose = (actual: number, expected: number, relative: number): boolean =>
  Math.abs(actual - expected) <= relative * Math.abs(expected) + 1e-15;

test('the normal upper tail is right down to 1e-300', () => {
  for (const [z, p] of [
    [-3, 0.9986501019683699],
    [-0.5, 0.6914624612740131],
    [0, 0.5],
    [0.1, 0.460172162722971],
    [1.2, 0.11506967022170822],
    [2.5, 0.006209665325776132],
    [8.3, 5.2055697448902465e-17],
    [20, 2.7536241186061556e-89],
    [37, 5.7255712225239266e-300],
  ] as const) {
    expect(Math.abs(normalUpperTail(z) / p - 1)).toBeLessThan(1e-12);
  }
});

test('the normal quantile agrees with scipy to 1e-14', () => {
  for (const [p, z] of [
    [1e-300, -37.0470962993612],
    [1e-20, -9.262340089798409],
    [1e-5, -4.264890793922825],
    [0.02425, -1.972961051311885],
    [0.3, -0.5244005127080409],
    [0.5, 0],
    [0.8, 0.8416212335729143],
    [0.975, 1.959963984540054],
    [0.9999999, 5.199337582290661],
  ] as const) {
    expect(isClose(normalQuantile(p), z, 1e-14)).toBe(true);
  }
  expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
  expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
  expect(normalQuantile(1.1)).toBeNaN();
});

test('the chi-squared upper tail agrees with scipy, also far out and for many degrees of freedom', () => {
  for (const [x, df, p] of [
    [0.5, 1, 0.47950012218695337],
    [3.84, 1, 0.05004352124870519],
    [30, 5, 1.4748581038443073e-5],
    [0.001, 3, 0.9999915920809419],
    [200, 150, 0.003973185970821635],
    [900, 10, 6.367822044752633e-187],
    [1050, 1000, 0.13247405682147703],
    [5, 40, 0.9999999999965196],
    [100_500, 100_000, 0.13185481160338378],
  ] as const) {
    expect(Math.abs(chiSquaredUpperTail(x, df) / p - 1)).toBeLessThan(df > 10_000 ? 1e-9 : 1e-12);
  }
  expect(chiSquaredUpperTail(0, 3)).toBe(1);
  expect(chiSquaredUpperTail(Number.POSITIVE_INFINITY, 3)).toBe(0);
  expect(upperGamma(-1, 2)).toBeNaN();
});

test("the quantile of Student's t agrees with scipy to 1e-10", () => {
  for (const [p, df, t] of [
    [0.975, 1, 12.706204736174694],
    [0.95, 2, 2.9199855803537242],
    [0.975, 9, 2.262157162798205],
    [0.995, 29, 2.756385903670605],
    [0.9, 200, 1.2857987939948012],
    [0.025, 15, -2.131449545559776],
    [0.975, 100_000, 1.9599877075346095],
    [0.999999, 3, 103.29946777942898],
  ] as const) {
    expect(isClose(studentQuantile(p, df), t, 1e-10)).toBe(true);
  }
  expect(studentQuantile(0.5, 3)).toBe(0);
  expect(studentQuantile(0.975, 1e8)).toBeCloseTo(1.959963984540054, 12);
  expect(studentQuantile(1, 3)).toBeNaN();
});

test('the logarithm of gamma agrees with scipy', () => {
  for (const [x, value] of [
    [0.1, 2.252712651734206],
    [0.5, 0.5723649429247],
    [1, 0],
    [2.5, 0.2846828704729192],
    [10, 12.801827480081469],
    [1000, 5905.220423209181],
    [1e6, 12815504.569147611],
  ] as const) {
    expect(isClose(logGamma(x), value, 1e-14)).toBe(true);
  }
});
