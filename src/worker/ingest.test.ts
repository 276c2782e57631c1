import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
beforeAll(async () => {
  folder = await createTaskFolder();
});
afterAll(() => folder.remove());

async function write(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(folder.path(name), content);
  return folder.path(name);
}

async function ingestCsv(content: string, options?: object, name = 'part.parquet') {
  const path = await write('source.csv', content);
  return folder.run('ingest', {
    sources: [{ path, name: 'data/flights.csv', format: 'csv', ...(options && { options }) }],
    outputPath: folder.path(name),
  });
}

describe('ingestion', () => {
  test('makes one part of CSV, JSON lines and Parquet, rows in input order', async () => {
    const csv = await write('a.csv', 'id,t,v\n2,2013-01-01 10:00:00,x\n1,2013-01-01 09:00:00,\n');
    const jsonl = await write(
      'b.jsonl',
      '{"id":4,"t":"2013-01-02T10:00:00Z","v":"y"}\n{"id":3,"t":"2013-01-02T09:00:00Z"}\n',
    );
    const parquet = await folder.parquet('c.parquet', `select 5::bigint as id, timestamp '2013-01-03' as t, 'z' as v`);
    const output = await folder.run('ingest', {
      sources: [
        { path: csv, format: 'csv' },
        { path: jsonl, format: 'jsonl' },
        { path: parquet, format: 'parquet' },
      ],
      outputPath: folder.path('all.parquet'),
      time: 't',
    });
    expect(output).toMatchObject({
      rows: 5,
      columns: [
        { name: 'id', type: 'BIGINT', nullable: false },
        { name: 't', type: 'TIMESTAMP', nullable: false },
        { name: 'v', type: 'VARCHAR', nullable: true },
      ],
      timeMinMs: Date.UTC(2013, 0, 1, 9),
      timeMaxMs: Date.UTC(2013, 0, 3),
    });
    const bytes = await readFile(folder.path('all.parquet'));
    expect(output.sizeBytes).toBe(bytes.length);
    const rows = await folder.read(`select id, v from '${folder.path('all.parquet')}'`);
    expect(rows.map(({ id, v }) => [Number(id), v])).toEqual([
      [2, 'x'],
      [1, null],
      [4, 'y'],
      [3, null],
      [5, 'z'],
    ]);
  });

  test('infers types from all rows, not from the first ones', async () => {
    const lines = Array.from({ length: 30_000 }, (_, row) => `${row},${row}`).join('\n');
    expect((await ingestCsv(`id,v\n${lines}\nx,1\n`)).columns).toMatchObject([{ type: 'VARCHAR' }, { type: 'BIGINT' }]);
  });

  test('takes another dialect and types as said', async () => {
    const output = await ingestCsv("id;v\n'1;1';NA\n'2;2';3\n", {
      delimiter: ';',
      quote: "'",
      nulls: ['NA'],
      types: { v: 'DOUBLE' },
    });
    expect(output.columns).toEqual([
      { name: 'id', type: 'VARCHAR', nullable: false },
      { name: 'v', type: 'DOUBLE', nullable: true },
    ]);
  });

  test('refuses columns that are not those expected', async () => {
    const path = await write('schema.csv', 'id,v\n1,2\n');
    const task = folder.run('ingest', {
      sources: [{ path, format: 'csv' }],
      outputPath: folder.path('schema.parquet'),
      expectedSchema: [
        { name: 'id', type: 'VARCHAR' },
        { name: 'w', type: 'BIGINT' },
      ],
    });
    await expect(task).rejects.toMatchObject({
      code: 'SOURCE_SCHEMA_MISMATCH',
      details: { problems: ['column "id" is BIGINT, not VARCHAR', 'column "w" is missing'] },
    });
  });
});

describe('a source that cannot be read', () => {
  test('ragged CSV: the first bad line, the others that are bad, and how to mend it', async () => {
    await expect(ingestCsv('a,b\n1,2\n3,4,5\n6,7\n8\n', {}, 'ragged.parquet')).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      details: { file: 'data/flights.csv', line: 3 },
      message: expect.stringMatching(/^data\/flights\.csv, line 3: .*3,4,5.*lines 3, 5 are bad too\. Every line/),
    });
    expect((await readdir(folder.path(''))).filter((name) => name.includes('ragged'))).toEqual([]);
  });

  test('a value that does not fit the declared type: line and column', async () => {
    await expect(ingestCsv('a,b\n1,2\nx,4\n', { types: { a: 'BIGINT' } })).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      details: { line: 3, column: 'a' },
    });
  });

  test('an open quote, an empty file, a file that is not there', async () => {
    await expect(ingestCsv('a,b\n1,"x\n2,3\n')).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    await expect(ingestCsv('')).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('is empty'),
    });
    const gone = folder.run('ingest', {
      sources: [{ path: folder.path('gone.csv'), format: 'csv' }],
      outputPath: folder.path('x.parquet'),
    });
    await expect(gone).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('no such file'),
    });
  });

  test('broken JSON: the line', async () => {
    const path = await write('broken.jsonl', '{"a":1}\n{"a":2,,}\n{"a":3}\n');
    const task = folder.run('ingest', {
      sources: [{ path, name: 'x.jsonl', format: 'jsonl' }],
      outputPath: folder.path('x.parquet'),
    });
    await expect(task).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', details: { file: 'x.jsonl', line: 2 } });
  });

  test('Parquet that is cut, turned over, or something else never ends in anything but the coded error', async () => {
    const good = await readFile(
      await folder.parquet('good.parquet', 'select i, i::varchar as t, random() as r from range(20000) as x(i)'),
    );
    const turned = Buffer.from(good);
    for (let at = 100; at < good.length - 2000; at += 97) turned[at] = (turned[at] ?? 0) ^ 0xff;
    for (const bytes of [
      good.subarray(0, good.length / 2),
      turned,
      Buffer.from('hello'),
      Buffer.from('PAR1 nonsense PAR1'),
    ]) {
      const path = await write('bad.parquet', bytes);
      const task = folder.run('ingest', {
        sources: [
          { path: folder.path('good.parquet'), format: 'parquet' },
          { path, name: 'bad.parquet', format: 'parquet' },
        ],
        outputPath: folder.path('x.parquet'),
      });
      await expect(task).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', details: { file: 'bad.parquet' } });
    }
  });
});

describe('landing', () => {
  test('makes a part of each file and checks them together', async () => {
    const files = [
      {
        path: await write('jan.csv', 'origin,delay\nEWR,1\nJFK,2\n'),
        name: 'jan.csv',
        format: 'csv' as const,
        outputPath: folder.path('0'),
      },
      {
        path: await write('feb.csv', 'origin,delay\nXXX,3\nEWR,\n'),
        name: 'feb.csv',
        format: 'csv' as const,
        outputPath: folder.path('1'),
      },
    ];
    const output = await folder.run('land', {
      files,
      checks: [{ column: 'origin', in: ['EWR', 'JFK', 'LGA'] }, { row_count: { min: 4 } }],
    });
    expect(output.files.map(({ rows, path }) => [rows, path])).toEqual([
      [2, folder.path('0')],
      [2, folder.path('1')],
    ]);
    expect(output.checks).toEqual([
      { passed: false, failing: 1, rows: [{ file: 'feb.csv', row: 0, origin: 'XXX', delay: 3 }] },
      { passed: true, failing: 0, rows: [] },
    ]);
  });
});
