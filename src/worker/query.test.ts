import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
let path: string;
beforeAll(async () => {
  folder = await createTaskFolder();
  path = await folder.parquet(
    'rows.parquet',
    `select i as id, timestamp '2013-01-01' + to_hours((i * 10)::integer) as t, case when i = 3 then null else 'x' || i end as "odd "" name" from range(6) as r(i)`,
  );
});
afterAll(() => folder.remove());

const views = () => [{ name: 'my rows', paths: [path] }];

describe('a query', () => {
  test('answers rows as JSON, and says whether there are more', async () => {
    const output = await folder.run('query', {
      sql: `select *, 12345678901234567890::hugeint as big, 1.5::decimal(4, 2) as d, 'nan'::double as n, [id] as l, date '2013-01-02' as day from "my rows" order by id;`,
      views: views(),
      rows: 2,
    });
    expect(output.more).toBe(true);
    expect(output.columns[1]).toEqual({ name: 't', type: 'TIMESTAMP' });
    expect(output.rows).toEqual(
      [0, 1].map((id) => ({
        id,
        t: `2013-01-01T${id}0:00:00Z`,
        'odd " name': `x${id}`,
        big: '12345678901234567890',
        d: 1.5,
        n: null,
        l: [id],
        day: '2013-01-02',
      })),
    );
  });

  test('writes a file', async () => {
    const output = await folder.run('query', {
      sql: 'from "my rows" where id > 3',
      views: views(),
      outputPath: folder.path('out.parquet'),
    });
    expect(output.file).toMatchObject({ path: folder.path('out.parquet'), rows: 2 });
    expect(await folder.read(`select id from '${folder.path('out.parquet')}'`)).toHaveLength(2);
  });

  test('cuts rows into a file for each value of a column', async () => {
    const output = await folder.run('query', {
      sql: 'select *, t::date as day from "my rows" where id <> 3 union all select 9, null, null, null',
      views: views(),
      partitions: { by: 'day', folder: folder.path('days'), name: 'flights-{value}.parquet' },
    });
    expect(output.partitions).toMatchObject({ withoutValue: 1 });
    expect(output.partitions?.files.map(({ path: file, rows, value }) => [file, rows, value])).toEqual([
      [folder.path('days/flights-2013-01-01.parquet'), 3, '2013-01-01'],
      [folder.path('days/flights-2013-01-02.parquet'), 1, '2013-01-02'],
      [folder.path('days/flights-2013-01-03.parquet'), 1, '2013-01-03'],
    ]);
    const rows = await folder.read(`from '${folder.path('days/flights-2013-01-02.parquet')}'`);
    expect(Object.keys(rows[0] ?? {})).toEqual(['id', 't', 'odd " name']);
  });

  test('refuses values that would lead out of the folder', async () => {
    const task = folder.run('query', {
      sql: `select '../x' as v, 1 as w`,
      views: [],
      partitions: { by: 'v', folder: folder.path('days'), name: '{value}.parquet' },
    });
    await expect(task).rejects.toMatchObject({ code: 'PARTITIONS_INVALID' });
  });

  test('wants one kind of answer, absolute paths, and nothing unknown', async () => {
    await expect(folder.run('query', { sql: 'select 1', views: [] })).rejects.toMatchObject({
      code: 'TASK_INPUT_INVALID',
    });
    await expect(
      folder.run('query', { sql: 'select 1', views: [{ name: 'x', paths: ['relative'] }], rows: 1 }),
    ).rejects.toMatchObject({
      code: 'TASK_INPUT_INVALID',
      message: expect.stringContaining('/views/0/paths/0'),
    });
    await expect(folder.run('query', { sql: 'select 1', views: [], rows: 1, limit: 1 } as never)).rejects.toMatchObject(
      { message: expect.stringContaining('"limit"') },
    );
  });

  test('cannot read files, change settings or load extensions', async () => {
    await writeFile(folder.path('secret.csv'), 'a\n1\n');
    const run = (sql: string) => folder.run('query', { sql, views: views(), rows: 1 });
    await expect(run(`from read_csv('${folder.path('secret.csv')}')`)).rejects.toMatchObject({ code: 'SQL_FORBIDDEN' });
    await expect(run(`attach '${folder.path('x.db')}'`)).rejects.toMatchObject({ code: expect.stringMatching(/SQL_/) });
    await expect(run('load httpfs')).rejects.toMatchObject({ code: expect.stringMatching(/SQL_/) });
    await expect(run(`set memory_limit = '1TB'`)).rejects.toMatchObject({ code: 'SQL_INVALID' });
  });

  test('that is cancelled stops at once, and leaves neither file nor spill', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const task = folder.run(
      'query',
      {
        sql: 'select count(*) from range(10000000000) a, range(1000) b',
        views: [],
        outputPath: folder.path('never.parquet'),
      },
      { signal: abort.signal },
    );
    setTimeout(() => abort.abort(reason), 50);
    await expect(task).rejects.toBe(reason);
  });

  test('that needs more memory than there is spills to disk, or fails with its code', async () => {
    const large =
      'select i, random() as r, hash(i)::varchar || hash(i + 1)::varchar as s from range(1500000) as x(i) order by r';
    const output = await folder.run(
      'query',
      { sql: large, views: [], outputPath: folder.path('sorted.parquet') },
      { memoryMb: () => 100 },
    );
    expect(output.file?.rows).toBe(1_500_000);
    const list = folder.run(
      'query',
      { sql: 'select list(i::varchar || i::varchar) from range(8000000) as x(i)', views: [], rows: 1 },
      { memoryMb: () => 100 },
    );
    await expect(list).rejects.toMatchObject({ code: 'WORKER_OUT_OF_MEMORY' });
  });
});

describe('compaction', () => {
  test('orders the rows of many files and keeps the last of equal ones', async () => {
    const [a, b] = [
      await folder.parquet('a.parquet', `select * from (values (3, 'old'), (1, 'one')) as v(id, v)`),
      await folder.parquet('b.parquet', `select * from (values (3, 'new'), (2, 'two')) as v(id, v)`),
    ];
    const output = await folder.run('compact', {
      inputs: [a, b],
      outputPath: folder.path('c.parquet'),
      orderBy: ['id'],
      dedupeBy: ['id'],
    });
    expect(output).toMatchObject({ rows: 3, dropped: 1 });
    expect((await folder.read(`from '${folder.path('c.parquet')}'`)).map(({ v }) => v)).toEqual(['one', 'two', 'new']);
    const kept = await folder.run('compact', { inputs: [a, b], outputPath: folder.path('d.parquet'), orderBy: ['id'] });
    expect(kept).toMatchObject({ rows: 4, dropped: 0 });
  });
});
