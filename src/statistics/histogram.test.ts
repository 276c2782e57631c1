import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cellOf,
  countIntoCells,
  countValues,
  emptyCellCounts,
  equalMassEdges,
  groupCells,
  mergeCellCounts,
  quantileFromCells,
  sumGroups,
} from './histogram.ts';
import { createRandom } from './random.ts';

const sorted = (values: readonly number[]): Float64Array => Float64Array.from(values).toSorted();
const uniform = (n: number, seed = 1): Float64Array => {
  const random = createRandom(seed);
  return Float64Array.from({ length: n }, random.nextFloat).toSorted();
};

test('cells of a continuous sample hold equal mass', () => {
  const sample = uniform(10_000);
  const edges = equalMassEdges(sample, 20);
  expect(edges).toHaveLength(19);
  expect(countIntoCells(sample, edges).counts).toEqual(Array.from({ length: 20 }, () => 500));
});

test('edges are finite, ascend strictly, and no sample value changes its cell as a 32-bit float', () => {
  const value = fc.oneof(
    fc.integer({ min: -5, max: 5 }).map((x) => x / 10),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -1e3, max: 1e3, noNaN: true }).map((x) => Math.round(x * 100) / 100),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 64 }), (values, bins) => {
      const edges = equalMassEdges(sorted(values), bins);
      expect(edges.every((edge, i) => Number.isFinite(edge) && (i === 0 || edge > (edges[i - 1] as number)))).toBe(
        true,
      );
      expect(edges.length).toBeLessThanOrEqual(4 * bins + 2);
      // Values closer together than 32-bit floats can tell apart have no stable cell.
      const distinct = [...new Set(values)].toSorted((a, b) => a - b);
      const apart = distinct.every(
        (x, i) =>
          i === 0 ||
          x - (distinct[i - 1] as number) > 1e-5 * Math.max(Math.abs(x), Math.abs(distinct[i - 1] as number)) + 1e-30,
      );
      expect(!apart || values.every((x) => cellOf(Math.fround(x), edges) === cellOf(x, edges))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a heavy value has a cell of its own, also at the ends of the range', () => {
  const sample = sorted([...Array.from({ length: 900 }, () => 0), ...Array.from({ length: 100 }, (_, i) => 1 + i)]);
  const edges = equalMassEdges(sample, 10);
  const { counts } = countIntoCells(sample, edges);
  expect(counts[cellOf(0, edges)]).toBe(900);
  for (const unseen of [-0.01, 0.5]) expect(counts[cellOf(unseen, edges)]).toBe(0);
});

test('a constant sample gives one cell about the value, with an empty one on either side', () => {
  const edges = equalMassEdges([5, 5, 5], 256);
  expect(edges).toHaveLength(2);
  expect([4.9, 5.001, 5.1].map((value) => cellOf(value, edges))).toEqual([0, 1, 2]);
  const zero = equalMassEdges([0, 0], 10);
  expect([-1e-9, 0, 1e-9].map((value) => cellOf(value, zero))).toEqual([0, 1, 2]);
});

test('an empty sample has no edges, infinite values stay out of them and fall into the open ends', () => {
  expect(equalMassEdges([], 10)).toEqual([]);
  const edges = equalMassEdges([Number.NEGATIVE_INFINITY, 1, 2, 3, 4, Number.POSITIVE_INFINITY], 4);
  expect(edges).toEqual([1.5, 2.5, 3.5]);
  expect(countIntoCells([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 2], edges).counts).toEqual([1, 1, 0, 1]);
  expect(() => equalMassEdges([1], 0)).toThrow(RangeError);
});

test('a grid of quantiles stands in for the sample', () => {
  const sample = uniform(100_000);
  const grid = Array.from({ length: 101 }, (_, k) => sample[Math.min(99_999, k * 1000)] as number);
  const { counts } = countIntoCells(sample, equalMassEdges(grid, 100));
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(700);
});

test('missing values are counted apart', () => {
  expect(countIntoCells([1, undefined, null, Number.NaN, 3], [2])).toEqual({ counts: [1, 1], nulls: 3 });
});

test('merging is associative and commutative, and the same as counting everything at once', () => {
  const values = fc.array(fc.option(fc.integer({ min: -10, max: 10 })), { maxLength: 50 });
  const edges = equalMassEdges([-9, -5, -5, -1, 0, 2, 3, 7, 8], 5);
  fc.assert(
    fc.property(values, values, values, (a, b, c) => {
      const [x, y, z] = [a, b, c].map((part) => countIntoCells(part, edges)) as [
        ReturnType<typeof countIntoCells>,
        ReturnType<typeof countIntoCells>,
        ReturnType<typeof countIntoCells>,
      ];
      const whole = countIntoCells([...a, ...b, ...c], edges);
      expect(mergeCellCounts(mergeCellCounts(x, y), z)).toEqual(whole);
      expect(mergeCellCounts(x, mergeCellCounts(y, z))).toEqual(whole);
      expect(mergeCellCounts(mergeCellCounts(z, y), x)).toEqual(whole);
      expect(mergeCellCounts(emptyCellCounts(edges), x)).toEqual(x);
      expect(countValues(whole) + whole.nulls).toBe(a.length + b.length + c.length);
    }),
  );
  expect(() => mergeCellCounts({ counts: [1], nulls: 0 }, { counts: [1, 2], nulls: 0 })).toThrow('edges differ');
});

test('quantiles read from a histogram are at most one cell off', () => {
  const sample = uniform(5000, 9);
  const edges = equalMassEdges(sample, 50);
  const cells = countIntoCells(sample, edges);
  const range = { min: sample[0] as number, max: sample[4999] as number };
  for (const q of [0, 0.01, 0.25, 0.5, 0.9, 1]) {
    const exact = sample[Math.min(4999, Math.floor(q * 5000))] as number;
    expect(Math.abs((quantileFromCells(cells, edges, q, range) ?? Number.NaN) - exact)).toBeLessThan(0.025);
  }
  expect(quantileFromCells(cells, edges, 1)).toBe(edges.at(-1));
  expect(quantileFromCells(emptyCellCounts(edges), edges, 0.5)).toBeUndefined();
  expect(() => quantileFromCells(cells, edges, 50)).toThrow(RangeError);
});

test('groups of cells ascend and hold about equal mass', () => {
  const counts = Array.from({ length: 256 }, () => 10);
  const groups = groupCells(counts, 10);
  expect(groups).toEqual(groups.toSorted((a, b) => a - b));
  const sums = sumGroups(counts, groups, 10);
  expect(sums.reduce((sum, count) => sum + count, 0)).toBe(2560);
  for (const sum of sums) expect(Math.abs(sum - 256)).toBeLessThanOrEqual(10);
});
