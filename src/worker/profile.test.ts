import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countIntoCells } from '#statistics/histogram';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
beforeAll(async () => {
  folder = await createTaskFolder();
});
afterAll(() => folder.remove());

test('a number column: NaN is missing, infinities are values, cells agree with the statistics of drift', async () => {
  const values = Array.from({ length: 1000 }, (_, row) => (row % 10 === 0 ? 7 : Math.sin(row) * row));
  const path = await folder.parquet(
    'numbers.parquet',
    `select unnest([${values.join(', ')}, 'nan'::double, null, 'inf'::double, '-inf'::double]::double[]) as x`,
  );
  const { rows, columns } = await folder.run('profile', { paths: [path], bins: 16 });
  const [x] = columns;
  expect(rows).toBe(1004);
  expect(x).toMatchObject({ name: 'x', type: 'DOUBLE', kind: 'numeric', count: 1002, missing: 2 });
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(x?.mean).toBeCloseTo(mean, 9);
  expect(x?.std).toBeCloseTo(
    Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)),
    9,
  );
  expect([x?.min, x?.max]).toEqual([Math.min(...values), Math.max(...values)]);
  expect(x?.quantiles?.['p50']).toBeCloseTo(
    values
      .toSorted((a, b) => a - b)
      .slice(499, 501)
      .reduce((a, b) => a + b) / 2,
    9,
  );
  expect(x?.top?.[0]).toEqual({ value: 7, count: 100 });
  const cells = x?.cells ?? { edges: [], counts: [], nulls: 0 };
  expect(cells.edges.length).toBeGreaterThan(14);
  expect({ counts: cells.counts, nulls: cells.nulls }).toEqual(
    countIntoCells([...values, Number.NaN, null, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], cells.edges),
  );
});

test('texts, booleans, times, lists, and columns without any value', async () => {
  const path = await folder.parquet(
    'mixed.parquet',
    `select case when i % 3 = 0 then 'a' when i % 3 = 1 then 'b' else 'c' || i end as text, i % 2 = 0 as flag,
       timestamp '2013-01-01' + to_hours(i::integer) as t, [i] as list, null::double as nothing, null::varchar as silence from range(30) as r(i)`,
  );
  const { columns } = await folder.run('profile', { paths: [path], categories: 3 });
  const [text, flag, t, list, nothing, silence] = columns;
  expect(text).toMatchObject({
    kind: 'categorical',
    categories: { categories: ['a', 'b', 'c11'], counts: [10, 10, 1], other: 9, nulls: 0 },
  });
  expect(text?.distinct).toBe(12);
  expect(flag?.top).toEqual([
    { value: 'false', count: 15 },
    { value: 'true', count: 15 },
  ]);
  expect(t).toMatchObject({ kind: 'time', min: Date.UTC(2013, 0, 1), max: Date.UTC(2013, 0, 2, 5) });
  expect(list).toMatchObject({ kind: 'other', count: 30, distinct: expect.any(Number) });
  expect(nothing).toMatchObject({ count: 0, missing: 30, cells: { edges: [], counts: [0], nulls: 30 } });
  expect(silence).toMatchObject({
    count: 0,
    missing: 30,
    categories: { categories: [], counts: [], other: 0, nulls: 30 },
  });
});

test('large columns are sampled evenly for quantiles; counts are of all rows', async () => {
  const path = await folder.parquet(
    'large.parquet',
    'select (i * 7919 % 600011)::double as x, 1e300 * (i % 2 * 2 - 1) as huge from range(600000) as r(i)',
  );
  const { columns } = await folder.run('profile', { paths: [path], bins: 8 });
  const [x, huge] = columns;
  expect(x?.quantiles?.['p50']).toBeGreaterThan(297_000);
  expect(x?.quantiles?.['p50']).toBeLessThan(303_000);
  expect(x?.cells?.counts.reduce((sum, count) => sum + count)).toBe(600_000);
  for (const count of x?.cells?.counts ?? []) expect(Math.abs(count - 75_000)).toBeLessThan(2000);
  expect((huge?.std ?? 0) / 1e300).toBeCloseTo(1, 5);
});

test('asks for columns by name', async () => {
  const path = await folder.parquet('named.parquet', 'select 1 as one, 2 as two');
  expect((await folder.run('profile', { paths: [path], columns: ['two'] })).columns.map(({ name }) => name)).toEqual([
    'two',
  ]);
  await expect(folder.run('profile', { paths: [path], columns: ['tow'] })).rejects.toMatchObject({
    code: 'COLUMN_MISSING',
  });
});

test('quantiles equal those of numpy, also of one value and of ties', async () => {
  const { quantiles: cases } = JSON.parse(
    readFileSync(new URL('../statistics/fixtures/reference.json', import.meta.url), 'utf8'),
  ) as { readonly quantiles: readonly { readonly values: readonly number[]; readonly p: Record<string, number> }[] };
  for (const { values, p } of cases) {
    const path = await folder.parquet('q.parquet', `select unnest([${values.join(', ')}, null]::double[]) as x`);
    const { columns } = await folder.run('profile', { paths: [path] });
    const found = columns[0]?.quantiles ?? {};
    expect(Object.keys(found)).toEqual(Object.keys(p).map((percent) => `p${percent}`));
    for (const [percent, expected] of Object.entries(p)) expect(found[`p${percent}`]).toBeCloseTo(expected, 10);
  }
});
