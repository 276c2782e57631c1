import { expect, test } from 'vitest';
import { countCategories } from './categories.ts';
import { compareCategories, compareNumbers, type DriftMeasure, judgeDrift } from './drift.ts';
import { countIntoCells, equalMassEdges } from './histogram.ts';
import { momentsOf, standardizedMeanShift } from './moments.ts';
import { createRandom, type Random } from './random.ts';

/** A standard normal number (Box, Muller 1958). */
const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.nextFloat())) * Math.cos(2 * Math.PI * random.nextFloat());

const normals = (n: number, seed: number, mean = 0): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: n }, () => mean + normal(random));
};

function compare(reference: readonly (number | null)[], current: readonly (number | null)[], bins = 256) {
  const known = reference.filter((value) => value !== null);
  const edges = equalMassEdges(Float64Array.from(known).toSorted(), bins);
  const measure = compareNumbers(countIntoCells(reference, edges), countIntoCells(current, edges));
  if (measure === undefined) throw new Error('a side is empty');
  return measure;
}

const judgeOne = (measure: DriftMeasure | undefined) => judgeDrift([measure])[0]?.state;

test('an outlier of a million in both sets does not hide a shift of one sigma', () => {
  const measure = compare([...normals(500, 1), 1e6], [...normals(500, 2, 1), 1e6]);
  expect(measure.pValue).toBeLessThan(1e-20);
  expect(measure.effect).toBeGreaterThan(0.3);
  expect(measure.psi.value).toBeGreaterThan(0.5);
  expect(judgeOne(measure)).toBe('drifted');
});

test('a shift down is seen as well as a shift up', () => {
  expect(judgeOne(compare(normals(500, 1), normals(500, 2, -1)))).toBe('drifted');
  expect(judgeOne(compare(normals(500, 1), normals(500, 2, 1)))).toBe('drifted');
});

test('sets of different size are compared', () => {
  expect(judgeOne(compare(normals(5000, 1), normals(300, 2)))).toBe('stable');
  const list = ['a', 'b'];
  const half = Array.from({ length: 3000 }, (_, i) => list[i % 2] as string);
  expect(judgeOne(compareCategories(countCategories(half, list), countCategories(half.slice(0, 500), list)))).toBe(
    'stable',
  );
});

test('a reference of 15 rows of the same distribution raises no alarm, and says that it is too small', () => {
  const measure = compare(normals(15, 1), normals(500, 2));
  expect(measure.psi.value).toBeLessThan(1);
  expect(measure.psi.cells).toBeLessThanOrEqual(3);
  expect(judgeOne(measure)).toBe('not-enough-data');
});

test('a change of a tenth of a sigma about a mean of zero is no drift', () => {
  const reference = normals(2000, 1);
  const current = normals(2000, 2, 0.1);
  expect(judgeOne(compare(reference, current))).toBe('stable');
  expect(Math.abs(standardizedMeanShift(momentsOf(reference), momentsOf(current)) ?? 9)).toBeLessThan(0.2);
});

test('twenty unchanged columns raise a false alarm in far fewer than one window in twenty', () => {
  let uncorrected = 0;
  let corrected = 0;
  for (let window = 0; window < 60; window += 1) {
    const measures = Array.from({ length: 20 }, (_, column) =>
      compare(normals(400, 1000 + column), normals(200, 5000 + 20 * window + column), 32),
    );
    if (measures.some(({ pValue }) => pValue < 0.05)) uncorrected += 1;
    // Without the effect: the correction alone.
    if (judgeDrift(measures, { alpha: 0.05, minEffect: 0, minRows: 100 }).some(({ state }) => state === 'drifted'))
      corrected += 1;
  }
  expect(uncorrected).toBeGreaterThan(20);
  expect(corrected).toBeLessThanOrEqual(9);
});

test('p-values far out are small, not 0', () => {
  const { pValue } = compare(normals(1000, 1), normals(1000, 2, 1));
  expect(pValue).toBeGreaterThan(0);
  expect(pValue).toBeLessThan(1e-40);
});

test('the method does not change when the reference grows past 1000 rows', () => {
  const current = normals(500, 2, 0.4);
  const small = compare(normals(999, 1), current);
  const large = compare(normals(1001, 1), current);
  expect(large.method).toBe(small.method);
  expect(Math.abs(large.effect - small.effect)).toBeLessThan(0.02);
  expect(Math.abs(large.psi.value - small.psi.value)).toBeLessThan(0.05);
});

test('a constant reference column drifts when its value is left, not when it wobbles by a thousandth', () => {
  const constant = Array.from({ length: 500 }, () => 5);
  const wobble = compare(
    constant,
    constant.map((value) => value + 0.001),
  );
  expect(wobble).toMatchObject({ constantReference: true, effect: 0, pValue: 1, unseenRows: 0 });
  expect(judgeOne(wobble)).toBe('stable');
  const left = compare(
    constant,
    constant.map((value) => value + 1),
  );
  expect(left).toMatchObject({ effect: 1, unseenRows: 500 });
  expect(judgeDrift([left])[0]?.reason).toContain('the reference has one value only');
});

test('a heavy value that moves is seen, and 32-bit floats are no drift', () => {
  const random = createRandom(8);
  const rain = Array.from({ length: 2000 }, () =>
    random.nextFloat() < 0.9 ? 0 : Math.ceil(random.nextFloat() * 30) / 100,
  );
  const again = Array.from({ length: 2000 }, () =>
    random.nextFloat() < 0.9 ? 0 : Math.ceil(random.nextFloat() * 30) / 100,
  );
  expect(compare(rain, again.map(Math.fround))).toEqual(compare(rain, again));
  expect(judgeOne(compare(rain, again.map(Math.fround)))).toBe('stable');
  expect(
    judgeOne(
      compare(
        rain,
        rain.map((value) => (value === 0 ? 0.001 : value)),
      ),
    ),
  ).toBe('drifted');
});

test('missing numbers are no part of the test but of the report; without numbers there is nothing to measure', () => {
  const reference = normals(400, 1);
  const measure = compare(reference, [...normals(300, 2), ...Array.from({ length: 100 }, () => null)]);
  expect(measure).toMatchObject({ currentRows: 300, currentNullShare: 0.25, referenceNullShare: 0 });
  expect(judgeOne(measure)).toBe('stable');
  const edges = equalMassEdges(Float64Array.from(reference).toSorted(), 16);
  expect(compareNumbers(countIntoCells(reference, edges), countIntoCells([null], edges))).toBeUndefined();
  expect(judgeDrift([undefined])[0]).toMatchObject({ state: 'not-enough-data' });
});

test('a category never seen before counts in the test and is reported', () => {
  const list = ['EWR', 'JFK', 'LGA'];
  const usual = Array.from({ length: 900 }, (_, i) => list[i % 3] as string);
  const reference = countCategories(usual, list);
  const current = countCategories([...usual.slice(0, 600), ...Array.from({ length: 300 }, () => 'PHL')], list);
  const measure = compareCategories(reference, current);
  expect(measure).toMatchObject({ method: 'chi-squared', unseenRows: 300, constantReference: false });
  expect(measure?.psi.value).toBeLessThan(10);
  expect(judgeOne(measure)).toBe('drifted');
});

test('categories that go missing are drift', () => {
  const list = ['a', 'b'];
  const usual = Array.from({ length: 600 }, (_, i) => list[i % 2] as string);
  const measure = compareCategories(
    countCategories(usual, list),
    countCategories(
      usual.map((value, i) => (i % 3 === 0 ? null : value)),
      list,
    ),
  );
  expect(measure?.currentNullShare).toBeCloseTo(1 / 3, 12);
  expect(measure?.currentRows).toBe(600);
  expect(judgeOne(measure)).toBe('drifted');
});

test('drift needs p, effect and rows together', () => {
  const measure: DriftMeasure = {
    method: 'kolmogorov-smirnov',
    pValue: 1e-9,
    effect: 0.2,
    psi: { value: 0.3, cells: 10, noise: 0.01 },
    jensenShannon: 0.2,
    referenceRows: 1000,
    currentRows: 1000,
    referenceNullShare: 0,
    currentNullShare: 0,
    unseenRows: 0,
    constantReference: false,
  };
  const verdicts = judgeDrift([
    measure,
    { ...measure, pValue: 0.5 },
    { ...measure, effect: 0.05 },
    { ...measure, currentRows: 99 },
    undefined,
  ]);
  expect(verdicts.map(({ state }) => state)).toEqual([
    'drifted',
    'stable',
    'stable',
    'not-enough-data',
    'not-enough-data',
  ]);
  expect(verdicts[0]?.adjustedPValue).toBeCloseTo(1.5e-9, 20);
  expect(verdicts[0]?.reason).toBe('D 0.200 is at least 0.1 and adjusted p 1.5e-9 is below 0.05');
  expect(verdicts[2]?.reason).toContain('too small to matter');
  expect(verdicts[3]).not.toHaveProperty('adjustedPValue');
  expect(verdicts[3]?.reason).toContain('99 current values; at least 100');
});

test('columns without enough data do not weaken the judgement of the others', () => {
  const measure = compare(normals(300, 1), normals(150, 2, 0.35));
  const tiny = compare(normals(300, 3), normals(20, 4));
  const alone = judgeDrift([measure])[0];
  const among = judgeDrift([tiny, tiny, measure, undefined, tiny])[2];
  expect(among).toEqual(alone);
});
