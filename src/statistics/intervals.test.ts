import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  criticalZ,
  meanEstimate,
  meanInterval,
  newcombeDifference,
  twoSidedFor,
  wilsonInterval,
  wilsonLowerBound,
  wilsonUpperBound,
} from './intervals.ts';
import { momentsOf } from './moments.ts';

test("Wilson's interval agrees with scipy 1.17.1", () => {
  for (const [successes, n, confidence, lower, upper] of [
    [8, 10, 0.95, 0.4901624715366418, 0.9433178485456248],
    [0, 20, 0.95, 0, 0.16112515805281935],
    [20, 20, 0.9, 0.8808421626390355, 1],
    [300, 1000, 0.99, 0.26409079192026474, 0.3385456740410979],
    [1, 3, 0.8, 0.10577563612172286, 0.6788173521696517],
  ] as const) {
    const interval = wilsonInterval(successes, n, confidence);
    expect(interval.lower).toBeCloseTo(lower, 13);
    expect(interval.upper).toBeCloseTo(upper, 13);
  }
  expect(wilsonInterval(0, 0, 0.9)).toEqual({ lower: 0, upper: 1, confidence: 0.9 });
});

test('a proportion lies inside its interval, and more confidence makes it wider', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
      const successes = Math.round(n * share);
      const narrow = wilsonInterval(successes, n, 0.8);
      const wide = wilsonInterval(successes, n, 0.99);
      expect(wide.lower).toBeLessThanOrEqual(narrow.lower);
      expect(wide.upper).toBeGreaterThanOrEqual(narrow.upper);
      expect(narrow.lower).toBeLessThanOrEqual(successes / n);
      expect(narrow.upper).toBeGreaterThanOrEqual(successes / n);
    }),
  );
});

test('a one-sided bound at 95 % is the bound of the two-sided 90 % interval', () => {
  const { lower, upper } = wilsonInterval(7, 50, 0.9);
  expect(wilsonLowerBound(7, 50, 0.95)).toBeCloseTo(lower, 14);
  expect(wilsonUpperBound(7, 50, 0.95)).toBeCloseTo(upper, 14);
  expect(twoSidedFor(0.95)).toBeCloseTo(0.9, 15);
  expect(() => twoSidedFor(0.4)).toThrow(RangeError);
});

test("Newcombe's interval of a difference agrees with statsmodels 0.15.0 and his table, with empty cells too", () => {
  for (const [a, m, b, n, lower, upper] of [
    [56, 70, 48, 80, 0.05243147240236498, 0.33387265403690614],
    [9, 10, 3, 10, 0.1705227239345029, 0.809017973535488],
    [10, 10, 0, 10, 0.6075093504305241, 1],
    [0, 20, 1, 30, -0.16670390991409176, 0.13010911244962112],
  ] as const) {
    const interval = newcombeDifference({ successes: a, n: m }, { successes: b, n }, 0.95);
    expect(interval.difference).toBeCloseTo(a / m - b / n, 14);
    expect(interval.lower).toBeCloseTo(lower, 13);
    expect(interval.upper).toBeCloseTo(upper, 13);
  }
  const nothing = newcombeDifference({ successes: 0, n: 0 }, { successes: 0, n: 0 }, 0.95);
  expect(nothing.lower).toBeLessThan(-0.7);
  expect(nothing.upper).toBeGreaterThan(0.7);
});

test('the interval of a mean needs two values, its estimate one', () => {
  const interval = meanInterval(momentsOf([1, 2, 3, 4, 5]), 0.95);
  // scipy 1.17.1: stats.t.interval(0.95, 4, 3, sem)
  expect(interval?.lower).toBeCloseTo(1.0367568385224393, 10);
  expect(interval?.upper).toBeCloseTo(4.9632431614775605, 10);
  expect(meanEstimate(momentsOf([2]), 0.95)).toEqual({ value: 2, n: 1 });
  expect(meanEstimate(momentsOf([]), 0.95)).toBeUndefined();
});

test('a confidence in percent or counts that make no proportion are refused', () => {
  expect(() => criticalZ(95)).toThrow('confidence must lie between 0 and 1');
  expect(() => wilsonInterval(3, 2, 0.9)).toThrow('3 of 2');
});
