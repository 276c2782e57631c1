import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckSpec } from '#contracts/datasets';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
let path: string;
beforeAll(async () => {
  folder = await createTaskFolder();
  path = await folder.parquet(
    'rows.parquet',
    `select * from (values (1, 'EWR', 5.5::double, timestamp '2013-01-01'), (2, 'JFK', -1, null), (2, null, 'nan', timestamp '2013-01-01'), (null, 'it''s', 99, timestamp '2013-01-02')) as v(id, origin, delay, t)`,
  );
});
afterAll(() => folder.remove());

async function failing(check: CheckSpec): Promise<readonly unknown[]> {
  const { checks } = await folder.run('check', { paths: [path], names: ['rows'], checks: [check] });
  const [outcome] = checks;
  expect(outcome?.passed).toBe(outcome?.failing === 0 && outcome.reason === undefined);
  return outcome?.reason === undefined ? (outcome?.rows ?? []).map(({ row }) => row) : [outcome.reason];
}

test('in: nulls pass, quotes are no trouble, numbers compare as numbers', async () => {
  expect(await failing({ column: 'origin', in: ['EWR', "it's"] })).toEqual([1]);
  expect(await failing({ column: 'id', in: [1, 2] })).toEqual([]);
  expect(await failing({ column: 'delay', in: [5.5, -1, 99] })).toEqual([2]);
});

test('range: a value that is no number is out of it', async () => {
  expect(await failing({ column: 'delay', min: 0, max: 50 })).toEqual([1, 2, 3]);
  expect(await failing({ column: 'origin', min: 0 })).toEqual([0, 1, 3]);
  expect(await failing({ column: 'id', max: 2 })).toEqual([]);
});

test('null, unique by one or several columns, regex', async () => {
  expect(await failing({ column: 't', not_null: true })).toEqual([1]);
  expect(await failing({ column: 'id', unique: true })).toEqual([2]);
  expect(await failing({ unique: ['id', 'origin'] })).toEqual([]);
  expect(await failing({ column: 'origin', regex: '^[A-Z]{3}$' })).toEqual([3]);
  await expect(failing({ column: 'origin', regex: '(' })).rejects.toMatchObject({ code: 'CHECK_INVALID' });
});

test('type, row count and a missing column fail as a whole, with the reason', async () => {
  expect(await failing({ column: 'id', type: 'int' })).toEqual([]);
  expect(await failing({ column: 'id', type: 'VARCHAR' })).toEqual(['column "id" is INTEGER, not VARCHAR']);
  expect(await failing({ row_count: { min: 1, max: 3 } })).toEqual(['there are 4 rows, at most 3 are wanted']);
  expect(await failing({ column: 'nope', not_null: true })).toEqual(['there is no column "nope"']);
});

test('shows the first twenty failing rows, in order, with file, row and instants in RFC 3339', async () => {
  const many = await folder.parquet(
    'many.parquet',
    `select i, timestamp '2013-01-01' + to_hours(i::integer) as t from range(200000) as r(i)`,
  );
  const { checks } = await folder.run('check', { paths: [path, many], checks: [{ column: 'i', max: 199_000 }] });
  expect(checks[0]).toMatchObject({ passed: false, failing: 999 });
  expect(checks[0]?.rows).toHaveLength(20);
  expect(checks[0]?.rows[0]).toMatchObject({ file: many, row: 199_001, i: 199_001, t: '2035-09-14T17:00:00Z' });
});
