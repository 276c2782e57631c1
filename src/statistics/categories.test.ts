import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  countCategories,
  countCategorised,
  emptyCategoryCounts,
  mergeCategoryCounts,
  topCategories,
} from './categories.ts';

test('the list holds the most frequent values, ties by name', () => {
  const counts = new Map([
    ['UA', 5],
    ['B6', 9],
    ['AA', 5],
    ['OO', 1],
    ['none', 0],
  ]);
  expect(topCategories(counts, 3)).toEqual(['B6', 'AA', 'UA']);
  expect(topCategories(counts, 99)).toEqual(['B6', 'AA', 'UA', 'OO']);
});

test('unlisted values count together and missing ones apart; an empty text is a value', () => {
  const counts = countCategories(['UA', 'ZZ', '', null, undefined, 'UA'], ['UA', '']);
  expect(counts).toEqual({ counts: [2, 1], other: 1, nulls: 2 });
  expect(countCategorised(counts)).toBe(4);
});

test('merging is associative and the same as counting everything at once', () => {
  const list = ['a', 'b'];
  const values = fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd')));
  fc.assert(
    fc.property(values, values, values, (a, b, c) => {
      const count = (part: (string | null)[]) => countCategories(part, list);
      const whole = count([...a, ...b, ...c]);
      expect(mergeCategoryCounts(mergeCategoryCounts(count(a), count(b)), count(c))).toEqual(whole);
      expect(mergeCategoryCounts(count(a), mergeCategoryCounts(count(b), count(c)))).toEqual(whole);
      expect(mergeCategoryCounts(emptyCategoryCounts(list), whole)).toEqual(whole);
    }),
  );
  expect(() => mergeCategoryCounts(emptyCategoryCounts(list), emptyCategoryCounts(['a']))).toThrow(RangeError);
});
