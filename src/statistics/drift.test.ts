import { expect, test } from 'vitest';
import { countCategories } from './categories.ts';
import { type ColumnMeasure, type DriftMeasure, judgeDrift, measureCategories, measureNumbers } from './drift.ts';
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

function measureColumn(
  reference: readonly (number | null)[],
  current: readonly (number | null)[],
  bins = 256,
): ColumnMeasure {
  const known = reference.filter((value) => value !== null);
  const edges = equalMassEdges(Float64Array.from(known).toSorted(), bins);
  return measureNumbers(countIntoCells(reference, edges), countIntoCells(current, edges));
}

function compare(reference: readonly (number | null)[], current: readonly (number | null)[], bins = 256): DriftMeasure {
  const { values } = measureColumn(reference, current, bins);
  if (values === undefined) throw new Error('a side is empty');
  return values;
}

const valuesOnly = (values: DriftMeasure | undefined): ColumnMeasure => ({ values, missing: undefined });
const judgeValues = (measure: DriftMeasure | undefined) => judgeDrift([valuesOnly(measure)])[0]?.state;
const judgeOne = (column: ColumnMeasure) => judgeDrift([column])[0]?.state;

test('an outlier of a million in both sets does not hide a shift of one sigma', () => {
  const measure = compare([...normals(500, 1), 1e6], [...normals(500, 2, 1), 1e6]);
  expect(measure.pValue).toBeLessThan(1e-20);
  expect(measure.effect).toBeGreaterThan(0.3);
  expect(measure.psi.value).toBeGreaterThan(0.5);
  expect(judgeValues(measure)).toBe('drifted');
});

test('a shift down is seen as well as a shift up', () => {
  expect(judgeValues(compare(normals(500, 1), normals(500, 2, -1)))).toBe('drifted');
  expect(judgeValues(compare(normals(500, 1), normals(500, 2, 1)))).toBe('drifted');
});

test('sets of different size are compared', () => {
  expect(judgeValues(compare(normals(5000, 1), normals(300, 2)))).toBe('stable');
  const list = ['a', 'b'];
  const half = Array.from({ length: 3000 }, (_, i) => list[i % 2] as string);
  expect(judgeOne(measureCategories(countCategories(half, list), countCategories(half.slice(0, 500), list)))).toBe(
    'stable',
  );
});

test('a reference of 15 rows of the same distribution raises no alarm, and says that it is too small', () => {
  const measure = compare(normals(15, 1), normals(500, 2));
  expect(measure.psi.value).toBeLessThan(1);
  expect(measure.psi.cells).toBeLessThanOrEqual(3);
  expect(judgeValues(measure)).toBe('not-enough-data');
});

test('a change of a tenth of a sigma about a mean of zero is no drift', () => {
  const reference = normals(2000, 1);
  const current = normals(2000, 2, 0.1);
  expect(judgeValues(compare(reference, current))).toBe('stable');
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
    if (
      judgeDrift(measures.map(valuesOnly), { alpha: 0.05, minEffect: 0, minRows: 100 }).some(
        ({ state }) => state === 'drifted',
      )
    )
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
  expect(judgeValues(wobble)).toBe('stable');
  const left = compare(
    constant,
    constant.map((value) => value + 1),
  );
  expect(left).toMatchObject({ effect: 1, unseenRows: 500 });
  expect(judgeDrift([valuesOnly(left)])[0]?.reason).toContain('the reference has one value only');
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
  expect(judgeValues(compare(rain, again.map(Math.fround)))).toBe('stable');
  expect(
    judgeValues(
      compare(
        rain,
        rain.map((value) => (value === 0 ? 0.001 : value)),
      ),
    ),
  ).toBe('drifted');
});

const nulls = (n: number): null[] => Array.from({ length: n }, () => null);

test('a column of which all rows, or half of them, go missing is drift, and the finding says so', () => {
  const reference = normals(2000, 1);
  for (const current of [nulls(3000), [...normals(1500, 2), ...nulls(1500)]]) {
    const share = current.length === 3000 && current[0] === null ? 1 : 0.5;
    const column = measureColumn(reference, current);
    expect(column.missing).toMatchObject({ currentRows: 3000, referenceNullShare: 0, currentNullShare: share });
    const [verdict] = judgeDrift([column]);
    expect(verdict).toMatchObject({ state: 'drifted', method: 'missing' });
    expect(verdict?.reason).toContain(`${share * 100}.0 % of the rows have no value, 0.0 % of the reference`);
  }
});

test('a column that is always there now, and often was not, is drift too', () => {
  const [verdict] = judgeDrift([measureColumn([...normals(800, 1), ...nulls(800)], normals(900, 2))]);
  expect(verdict).toMatchObject({ state: 'drifted', method: 'missing' });
});

test('a missing share that moves by chance, or by a little, is no drift', () => {
  const reference = [...normals(1400, 1), ...nulls(600)];
  expect(judgeOne(measureColumn(reference, [...normals(140, 2), ...nulls(60)]))).toBe('stable');
  const [little] = judgeDrift([measureColumn(reference, [...normals(6400, 2), ...nulls(3600)])]);
  expect(little).toMatchObject({ state: 'stable', method: 'kolmogorov-smirnov' });
});

test('values and missing share that both differ are told together, the greater effect first', () => {
  const current = [...normals(900, 2, 0.5), ...nulls(100)];
  const [verdict] = judgeDrift([measureColumn(normals(2000, 1), current)]);
  expect(verdict).toMatchObject({ state: 'drifted', method: 'kolmogorov-smirnov' });
  expect(verdict?.reason).toMatch(/^D .*; difference 0\.100 .*10\.0 % of the rows have no value/);
});

test('the missing share is judged by all rows, and only where there are enough', () => {
  expect(judgeOne(measureColumn(normals(400, 1), nulls(99)))).toBe('not-enough-data');
  expect(judgeOne(measureColumn(normals(400, 1), nulls(100)))).toBe('drifted');
  expect(judgeOne(measureColumn(nulls(400), nulls(400)))).toBe('not-enough-data');
  expect(judgeDrift([{ values: undefined, missing: undefined }])[0]).toMatchObject({ state: 'not-enough-data' });
});

test('columns that are always there do not weaken the judgement of the others', () => {
  const measure = compare(normals(300, 1), normals(150, 2, 0.35));
  expect(measureColumn(normals(300, 1), normals(150, 2)).missing?.pValue).toBeUndefined();
  const [alone] = judgeDrift([valuesOnly(measure)]);
  const [beside] = judgeDrift([measureColumn(normals(300, 1), normals(150, 2, 0.35))]);
  expect(beside).toEqual(alone);
});

test('twenty columns with unchanged gaps raise a false alarm in few windows', () => {
  let alarms = 0;
  for (let window = 0; window < 60; window += 1) {
    const random = createRandom(900 + window);
    const gappy = (n: number) => Array.from({ length: n }, () => (random.nextFloat() < 0.3 ? null : normal(random)));
    const columns = Array.from({ length: 20 }, () => measureColumn(gappy(400), gappy(200), 32));
    if (judgeDrift(columns, { alpha: 0.05, minEffect: 0, minRows: 100 }).some(({ state }) => state === 'drifted'))
      alarms += 1;
  }
  expect(alarms).toBeLessThanOrEqual(9);
});

test('a category never seen before counts in the test and is reported', () => {
  const list = ['EWR', 'JFK', 'LGA'];
  const usual = Array.from({ length: 900 }, (_, i) => list[i % 3] as string);
  const reference = countCategories(usual, list);
  const current = countCategories([...usual.slice(0, 600), ...Array.from({ length: 300 }, () => 'PHL')], list);
  const measure = measureCategories(reference, current).values;
  expect(measure).toMatchObject({ method: 'chi-squared', unseenRows: 300, constantReference: false });
  expect(measure?.psi.value).toBeLessThan(10);
  expect(judgeValues(measure)).toBe('drifted');
});

test('categories that go missing are drift', () => {
  const list = ['a', 'b'];
  const usual = Array.from({ length: 600 }, (_, i) => list[i % 2] as string);
  const gappy = usual.map((value, i) => (i % 3 === 0 ? null : value));
  const column = measureCategories(countCategories(usual, list), countCategories(gappy, list));
  expect(column.missing).toMatchObject({ currentRows: 600, pValue: expect.any(Number) });
  expect(column.missing?.currentNullShare).toBeCloseTo(1 / 3, 12);
  expect(judgeDrift([column])[0]).toMatchObject({ state: 'drifted', method: 'missing' });
  const gone = countCategories(
    usual.map(() => null),
    list,
  );
  expect(judgeDrift([measureCategories(countCategories(usual, list), gone)])[0]).toMatchObject({
    state: 'drifted',
    method: 'missing',
  });
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
    unseenRows: 0,
    constantReference: false,
  };
  const verdicts = judgeDrift(
    [
      measure,
      { ...measure, pValue: 0.5 },
      { ...measure, effect: 0.05 },
      { ...measure, currentRows: 99 },
      undefined,
    ].map(valuesOnly),
  );
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
  const alone = judgeDrift([valuesOnly(measure)])[0];
  const among = judgeDrift([tiny, tiny, measure, undefined, tiny].map(valuesOnly))[2];
  expect(among).toEqual(alone);
});
