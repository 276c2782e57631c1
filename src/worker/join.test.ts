import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
let spine: string;
let weather: string;
const hour = 3_600_000;

beforeAll(async () => {
  folder = await createTaskFolder();
  spine = await folder.parquet(
    'spine.parquet',
    `select 'EWR' as origin, timestamp '2013-01-01 10:00:00' as scheduled union all select 'JFK', timestamp '2013-01-01 12:00:00'`,
  );
  weather = await folder.parquet(
    'weather.parquet',
    `select * from (values ('EWR', timestamp '2013-01-01 07:00:00', 1.5::double), ('EWR', timestamp '2013-01-01 06:59:59', 9),
      ('EWR', timestamp '2013-01-01 11:00:00', 7), ('JFK', timestamp '2013-01-01 12:00:00', 3)) as w(origin, observed, temp)`,
  );
});
afterAll(() => folder.remove());

const view = () => ({ name: 'weather', paths: [weather], entity: ['origin'], time: 'observed' });

function joined(change: object) {
  return folder.run('join', { spine: { paths: [spine], at: 'scheduled' }, views: [{ ...view(), ...change }] });
}

function withSql(sql: string) {
  return folder.run('join', {
    spine: { paths: [spine], at: 'scheduled' },
    views: [{ name: 'v', sql, inputs: [{ name: 'weather', paths: [weather] }], entity: ['origin'], time: 'observed' }],
  });
}

async function tie(count: number, created: string) {
  const path = await folder.parquet(
    'tied.parquet',
    `select 'EWR' as origin, timestamp '2013-01-01 09:00:00' as observed, ${created} as created, i as v from range(${count}) as r(i)`,
  );
  return (await joined({ paths: [path], created: 'created', columns: ['v'] })).values;
}

const failingBefore = (instant: string): string => `select origin, observed,
  case when observed < timestamp '${instant}' then error('computed')::integer else 1 end as v from weather_and_past`;

describe('the join', () => {
  test('uses a row that is exactly ttl old, and none that is a second older', async () => {
    expect((await joined({ ttlMs: 3 * hour })).values).toEqual([[1.5], [3]]);
    expect(await joined({ ttlMs: 3 * hour - 1000 })).toMatchObject({ values: [[null], [3]], matched: { weather: 1 } });
  });

  test('measures the ttl from the instant asked for, not from when the row became known', async () => {
    expect((await joined({ knownAfterMs: 3 * hour, ttlMs: 3 * hour })).values).toEqual([[1.5], [null]]);
    expect((await joined({ knownAfterMs: 3 * hour + 1000, ttlMs: 3 * hour + 1000 })).values).toEqual([[9], [null]]);
  });

  test('answers rows at hand, each with its own instant, keys cast to the types of the view', async () => {
    const numbered = await folder.parquet(
      'numbered.parquet',
      `select 7::bigint as id, timestamptz '2013-01-01 05:00:00-05:00' as t, 'a' as v`,
    );
    const output = await folder.run('join', {
      spine: {
        rows: [
          { id: '7', at: '2013-01-01T10:00:00Z' },
          { id: 7, at: '2013-01-01T10:59:59+01:00' },
          { id: 7, at: Date.UTC(2013, 0, 1, 10) },
          { id: 'seven', at: '2013-01-01T10:00:00' },
          { id: null, at: '2013-01-01T10:00:00' },
          { id: 7, at: null },
        ],
        at: 'at',
      },
      views: [{ name: 'n', paths: [numbered], entity: ['id'], time: 't' }],
    });
    expect(output.columns).toEqual(['n__v']);
    expect(output.values).toEqual([['a'], [null], ['a'], [null], [null], [null]]);
  });

  test('reads views made by SQL over named tables, the same name meaning other files in another view', async () => {
    const other = await folder.parquet(
      'other.parquet',
      `select 'JFK' as origin, timestamp '2013-01-01 11:30:00' as observed, 40 as temp`,
    );
    const sql = 'select origin, observed, max(temp) as hottest from weather group by all -- the end';
    const output = await folder.run('join', {
      spine: { paths: [spine], at: 'scheduled' },
      views: [
        { name: 'a', sql, inputs: [{ name: 'weather', paths: [weather] }], entity: ['origin'], time: 'observed' },
        { name: 'b', sql, inputs: [{ name: 'weather', paths: [other] }], entity: ['origin'], time: 'observed' },
      ],
    });
    expect(output).toMatchObject({
      columns: ['a__hottest', 'b__hottest'],
      values: [
        [1.5, null],
        [3, 40],
      ],
    });
  });

  test('computes a view made by SQL only for the times that the rows may use', async () => {
    const past = await folder.parquet(
      'past.parquet',
      `from '${weather}' union all by name select 'JFK' as origin, timestamp '2012-01-01 00:00:00' as observed`,
    );
    const common = { name: 'v', entity: ['origin'], time: 'observed' };
    const inputs = [{ name: 'weather_and_past', paths: [past] }];
    const ask = (before: string, ttlMs?: number) =>
      folder.run('join', {
        spine: { paths: [spine], at: 'scheduled' },
        views: [{ ...common, sql: failingBefore(before), inputs, ...(ttlMs !== undefined && { ttlMs }) }],
      });
    expect((await ask('2012-06-01', 3 * hour)).values).toEqual([[1], [1]]);
    await expect(ask('2012-06-01')).rejects.toMatchObject({ code: 'SQL_INVALID' }); // without ttl the past may be used
  });

  test('compares nanoseconds where a column has them, dates and milliseconds too', async () => {
    const fine = await folder.parquet(
      'fine.parquet',
      `select 1 as id, timestamp_ns '2013-01-01 10:00:00.000000001' as t, 'late' as v`,
    );
    const day = await folder.parquet('day.parquet', `select 1 as id, date '2013-01-01' as t, 'day' as v`);
    const ms = await folder.parquet(
      'ms.parquet',
      `select 1 as id, ${Date.UTC(2013, 0, 1, 10)}::bigint as t, 'ms' as v`,
    );
    const asked = await folder.parquet(
      'asked.parquet',
      `select 1 as id, timestamp '2013-01-01 10:00:00' as at_time union all select 1, timestamp '2013-01-01 10:00:00.000001'`,
    );
    const output = await folder.run('join', {
      spine: { paths: [asked], at: 'at_time' },
      views: [fine, day, ms].map((path, index) => ({
        name: `v${index}`,
        paths: [path],
        entity: ['id'],
        time: 't',
        ttlMs: 11 * hour,
      })),
    });
    expect(output.values).toEqual([
      [null, 'day', 'ms'],
      ['late', 'day', 'ms'],
    ]);
  });

  test('keeps the order of many rows, with every column of the input before the features', async () => {
    const many = await folder.parquet(
      'many.parquet',
      `select i as n, (hash(i) % 50)::integer as k, timestamp '2013-01-01' + to_seconds((hash(i + 1) % 100000)::integer) as t from range(300000) as r(i)`,
    );
    const facts = await folder.parquet(
      'facts.parquet',
      `select (i % 50)::integer as k, timestamp '2013-01-01' + to_seconds(i::integer) as t, i as v from range(100000) as r(i)`,
    );
    const output = await folder.run('join', {
      spine: { paths: [many], at: 't' },
      views: [{ name: 'f', paths: [facts], entity: ['k'], time: 't' }],
      outputPath: folder.path('big.parquet'),
    });
    expect(output.file).toMatchObject({ rows: 300_000, path: folder.path('big.parquet') });
    const [found] = await folder.read(
      `select bool_and(n = file_row_number) as ordered, bool_and(f__v is not distinct from (case when s - ((s - k) % 50 + 50) % 50 >= 0 then s - ((s - k) % 50 + 50) % 50 end)) as right
       from (select *, file_row_number, epoch(t)::bigint - epoch(timestamp '2013-01-01')::bigint as s from '${folder.path('big.parquet')}')`,
    );
    expect(found).toEqual({ ordered: true, right: true });
  });
});

describe('rows that tie', () => {
  test('are compared by created as exactly as its type, and by values when there are many', async () => {
    expect(await tie(10, `(case when i = 3 then '2013-01-02' end)::timestamp`)).toEqual([[3], [null]]);
    expect(await tie(10, `(case i when 3 then 'infinity' when 4 then null else '-infinity' end)::timestamp`)).toEqual([
      [3],
      [null],
    ]);
    expect(await tie(10, `'2013-01-02 00:00:00.00000000' || (i * 7 % 10)`)).toEqual([[7], [null]]);
    expect(await tie(10, `('2013-01-02 00:00:00.00000000' || (i * 7 % 10))::timestamp_ns`)).toEqual([[7], [null]]);
    expect(await tie(10, `9007199254740992 + (i * 7 % 10)`)).toEqual([[7], [null]]);
    expect(await tie(20_000, `null::timestamp`)).toEqual([[19_999], [null]]);
  });

  test('are told apart by the last column when those before it are the same, and are one when all are', async () => {
    const path = await folder.parquet(
      'alike.parquet',
      `select 'EWR' as origin, timestamp '2013-01-01 09:00:00' as observed, timestamp '2013-01-02' as created,
        1 as a, 'x' as b, 2 as c, i // 2 % 5 as d from range(10) as r(i)`,
    );
    const change = { paths: [path], created: 'created', columns: ['a', 'b', 'c', 'd'] };
    expect(await joined(change)).toMatchObject({
      values: [
        [1, 'x', 2, 4],
        [null, null, null, null],
      ],
      matched: { weather: 1 },
    });
  });

  test('are right where times lie too far apart for doubles', async () => {
    const path = await folder.parquet(
      'far.parquet',
      `select 'EWR' as origin, timestamp_ns '2012-01-01' + to_days((i // 2)::integer) as observed, i as v from range(1000) as r(i)`,
    );
    expect((await joined({ paths: [path], columns: ['v'] })).values).toEqual([[733], [null]]);
    const old = await folder.parquet(
      'old.parquet',
      `select 'EWR' as origin, timestamp '0001-01-01' + to_microseconds(i) as observed, i as v from range(9) as r(i)`,
    );
    expect((await joined({ paths: [old], columns: ['v'] })).values).toEqual([[8], [null]]);
  });
});

describe('a join that cannot be', () => {
  test('says which column is missing, and the nearest name', async () => {
    await expect(joined({ columns: ['tmp'] })).rejects.toMatchObject({
      code: 'COLUMN_MISSING',
      message: 'there is no column "tmp" in view "weather"; did you mean "temp"?',
    });
    await expect(joined({ entity: ['temp'] })).rejects.toMatchObject({ code: 'COLUMN_MISSING' });
    await expect(joined({ time: 'origin' })).rejects.toMatchObject({ code: 'TIME_COLUMN_INVALID' });
  });

  test('refuses to compare a text with a number', async () => {
    const numbered = await folder.parquet(
      'text-key.parquet',
      `select 1 as origin, timestamp '2013-01-01' as observed, 1 as temp`,
    );
    await expect(joined({ paths: [numbered] })).rejects.toMatchObject({ code: 'JOIN_KEY_TYPES' });
  });

  test('refuses two columns of one name', async () => {
    const taken = await folder.parquet(
      'taken.parquet',
      `select 'EWR' as origin, timestamp '2013-01-01' as scheduled, 1 as weather__TEMP`,
    );
    await expect(
      folder.run('join', { spine: { paths: [taken], at: 'scheduled' }, views: [view()] }),
    ).rejects.toMatchObject({ code: 'JOIN_COLUMN_TWICE' });
  });
});

describe('the SQL of a view', () => {
  test('reads nothing but its inputs', async () => {
    await writeFile(folder.path('secret.csv'), 'origin,observed,x\nEWR,2013-01-01,1\n');
    for (const sql of [
      `select * from read_csv('${folder.path('secret.csv')}')`,
      `select * from '${folder.path('spine.parquet')}/../secret.csv'`,
      `select 'EWR' as origin, now() as observed, content from read_text('/etc/hostname')`,
      `select * from glob('${folder.path('')}*')`,
    ])
      await expect(withSql(sql)).rejects.toMatchObject({ code: 'SQL_FORBIDDEN' });
    // What the task reads is open to its SQL, but SQL that writes is no SELECT.
    const copy = withSql(`copy weather to '${folder.path('stolen.csv')}'`);
    await expect(copy).rejects.toMatchObject({ code: 'SQL_FORBIDDEN' });
    await expect(withSql(`copy weather to '${spine}'`)).rejects.toMatchObject({ code: 'SQL_INVALID' });
  });

  test('is one SELECT, and its mistakes are told with their line', async () => {
    await expect(withSql('select 1; select 2')).rejects.toMatchObject({
      code: 'SQL_INVALID',
      message: expect.stringContaining('not 2 statements'),
    });
    await expect(withSql('set memory_limit = 1')).rejects.toMatchObject({ code: 'SQL_INVALID' });
    await expect(withSql('select *\nfrom wether')).rejects.toMatchObject({
      code: 'SQL_INVALID',
      message: expect.stringMatching(/feature view "v".*wether.*line 2/),
    });
  });
});
