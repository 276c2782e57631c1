import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listAlerts } from '../src/contracts/alerts.ts';
import {
  getDataset,
  getDatasetProfile,
  listDatasets,
  listDatasetVersions,
  listIngestions,
  previewDataset,
  runQuery,
} from '../src/contracts/datasets.ts';
import { listEvents } from '../src/contracts/event-operations.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { startControlPlane } from './support/control-plane.ts';
import { createTestProject, type TestProject } from './support/project.ts';

async function projectOf(datasets: string): Promise<TestProject> {
  const { client } = await startControlPlane();
  const project = await createTestProject(client, `project: shop\ndatasets:\n${datasets}`);
  await project.apply();
  return project;
}

const csv = (...rows: readonly string[]): string => `${['id,origin,at', ...rows].join('\n')}\n`;

describe('landing', () => {
  test('takes CSV, JSON lines and Parquet, from one file and from a glob', async () => {
    const project = await projectOf(`  a: { source: data/a/*.csv, time: at }
  b: { source: data/b.jsonl }
  c: { source: "data/c/**/*.parquet", time: at }
`);
    await project.write('data/a/1.csv', csv('1,JFK,2013-01-01T00:00:00Z', '2,EWR,2013-01-02T00:00:00Z'));
    await project.write('data/a/2.csv', csv('3,JFK,2013-01-03T00:00:00Z'));
    await project.write('data/b.jsonl', '{"id":1,"name":"x"}\n{"id":2}\n');
    await project.write(
      'data/c/2013/01.parquet',
      await project.parquet("select 7 as id, timestamp '2013-02-01' as at union all select 8, timestamp '2013-02-02'"),
    );
    const landed = await Promise.all(['a', 'b', 'c'].map((name) => project.land(name)));
    expect(landed).toMatchObject([1, 1, 1].map((version) => ({ state: 'published', version })));
    const client = await project.client();
    const { items } = await client.call(listDatasets, { query: {} });
    expect(items).toMatchObject([
      {
        name: 'a',
        ingesting: false,
        current: {
          rows: 3,
          parts: 2,
          timeMin: '2013-01-01T00:00:00.000Z',
          timeMax: '2013-01-03T00:00:00.000Z',
          columns: [
            { name: 'id', type: 'BIGINT' },
            { name: 'origin', type: 'VARCHAR' },
            { name: 'at', type: 'TIMESTAMP WITH TIME ZONE' },
          ],
        },
      },
      { name: 'b', current: { rows: 2, parts: 1 } },
      { name: 'c', current: { rows: 2, parts: 1, timeMax: '2013-02-02T00:00:00.000Z' } },
    ]);
    expect(await project.query('select id, name from b order by id', 'b')).toEqual([
      { id: 1, name: 'x' },
      { id: 2, name: null },
    ]);
    const first = await client.call(listDatasets, { query: { limit: 2 } });
    expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
    const rest = await client.call(listDatasets, { query: { limit: 2, cursor: first.next ?? '' } });
    expect(rest).toMatchObject({ items: [{ name: 'c' }] });
    expect(rest.next).toBeUndefined();
  });

  test('makes a part of each new file, shares the old ones, and does nothing when nothing is new', async () => {
    const project = await projectOf('  a: { source: data/*.csv, time: at }\n');
    await project.write('data/1.csv', csv('1,JFK,2013-01-01T00:00:00Z'));
    await project.land('a');
    expect(await project.land('a')).toBeUndefined();
    await project.write('data/2.csv', csv('2,EWR,2013-01-02T00:00:00Z'));
    expect(await project.land('a')).toMatchObject({ state: 'published', version: 2, files: ['data/2.csv'] });
    const client = await project.client();
    expect((await client.call(listDatasetVersions, { params: { name: 'a' }, query: {} })).items).toMatchObject([
      { version: 2, rows: 2, parts: 2 },
      { version: 1, rows: 1, parts: 1 },
    ]);
    expect((await client.call(previewDataset, { params: { name: 'a' }, query: { version: 1 } })).rows).toMatchObject([
      { id: 1, origin: 'JFK' },
    ]);
    const graph = await client.call(traceLineage, { query: { ref: 'dataset:a@2', direction: 'up' } });
    expect(graph.nodes.map(({ ref }) => ref)).toContain('dataset:a@1');
    const bare = await client.call(traceLineage, { query: { ref: 'dataset:a', direction: 'up' } });
    expect(bare.root).toBe('dataset:a@2');
  });

  test('refuses a landed file that changed or is gone', async () => {
    const project = await projectOf('  a: { source: data/*.csv }\n');
    await project.write('data/1.csv', csv('1,JFK,2013-01-01T00:00:00Z'));
    await project.land('a');
    await project.write('data/1.csv', csv('9,JFK,2013-01-01T00:00:00Z'));
    await expect(project.land('a')).rejects.toMatchObject({
      code: 'DATASET_SOURCE_CHANGED',
      message: expect.stringContaining('data/1.csv'),
    });
    await rm(join(project.folder, 'data/1.csv'));
    await project.write('data/2.csv', csv('2,JFK,2013-01-01T00:00:00Z'));
    await expect(project.land('a')).rejects.toMatchObject({
      code: 'DATASET_SOURCE_MISSING',
      message: expect.stringContaining('data/1.csv'),
    });
  });

  test('keeps the order of landings that wait for each other', async () => {
    const project = await projectOf('  a: { source: data/*.csv }\n');
    const started = [];
    for (const number of [1, 2, 3]) {
      await project.write(`data/${number}.csv`, csv(`${number},JFK,2013-01-01T00:00:00Z`));
      started.push(await project.startLanding('a'));
    }
    await project.write('data/4.csv', csv('4,JFK,2013-01-01T00:00:00Z'));
    expect(await project.land('a')).toMatchObject({ version: 4 });
    const client = await project.client();
    const { items } = await client.call(listIngestions, { params: { name: 'a' }, query: {} });
    expect(items.map(({ version, files }) => [version, files])).toEqual([
      [4, ['data/4.csv']],
      [3, ['data/3.csv']],
      [2, ['data/2.csv']],
      [1, ['data/1.csv']],
    ]);
    expect(
      items
        .map(({ id }) => id)
        .toReversed()
        .slice(0, 3),
    ).toEqual(started.map((one) => one?.id));
  });

  test('of nothing, or of a dataset that is not there, says so', async () => {
    const project = await projectOf('  flights: { source: data/*.csv }\n');
    await expect(project.land('flights')).rejects.toMatchObject({ code: 'DATASET_SOURCE_EMPTY' });
    const client = await project.client();
    await expect(client.call(getDataset, { params: { name: 'flihts' } })).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
      message: expect.stringContaining('did you mean "flights"?'),
    });
    await expect(client.call(getDatasetProfile, { params: { name: 'flights' }, query: {} })).rejects.toMatchObject({
      code: 'DATASET_VERSION_NOT_FOUND',
    });
  });
});

describe('checks', () => {
  const checked = `  a:
    source: data/*.csv
    checks:
      - { column: origin, in: [EWR, JFK, LGA] }
      - { column: id, min: 0, level: warn }
`;

  test('that block keep the version before and show the failing rows', async () => {
    const project = await projectOf(checked);
    await project.write('data/1.csv', csv('1,JFK,x'));
    await project.land('a');
    await project.write('data/2.csv', csv('2,EWR,x', '3,SFO,x', '4,LAX,x'));
    const blocked = await project.land('a');
    expect(blocked).toMatchObject({
      state: 'blocked',
      checks: [
        {
          check: 'origin in ["EWR","JFK","LGA"]',
          level: 'block',
          passed: false,
          failing: 2,
          rows: [
            { file: 'data/2.csv', row: 1, id: 3, origin: 'SFO' },
            { file: 'data/2.csv', row: 2, id: 4, origin: 'LAX' },
          ],
        },
        { level: 'warn', passed: true, failing: 0 },
      ],
    });
    expect(blocked?.version).toBeUndefined();
    const client = await project.client();
    expect(await client.call(getDataset, { params: { name: 'a' } })).toMatchObject({
      current: { version: 1, rows: 1 },
    });
    expect((await client.call(listAlerts, { query: {} })).items).toMatchObject([{ subject: 'dataset:a' }]);
    await project.write('data/2.csv', csv('2,EWR,x'));
    expect(await project.land('a')).toMatchObject({ state: 'published', version: 2 });
    const { items } = await client.call(listAlerts, { query: { state: 'open' } });
    expect(items).toEqual([]);
  });

  test('that fail as a whole say why: a missing column, another type, too few rows', async () => {
    const project = await projectOf(
      '  a: { source: data/*.csv, checks: [ { column: oringin, not_null: true }, { column: id, type: VARCHAR }, { row_count: { min: 5 } } ] }\n',
    );
    await project.write('data/1.csv', csv('1,JFK,x'));
    const reasons = [
      'there is no column "oringin"',
      'column "id" is BIGINT, not VARCHAR',
      'there are 1 rows, at least 5',
    ];
    expect((await project.land('a'))?.checks).toMatchObject(
      reasons.map((reason) => ({ passed: false, reason: expect.stringContaining(reason) })),
    );
  });

  test('that warn let the version be and tell', async () => {
    const project = await projectOf(checked);
    await project.write('data/1.csv', csv('-1,JFK,x'));
    expect(await project.land('a')).toMatchObject({
      state: 'published',
      checks: [{ passed: true }, { level: 'warn', passed: false, failing: 1, rows: [{ id: -1 }] }],
    });
    const client = await project.client();
    const { items } = await client.call(listEvents, { query: { type: ['dataset.check.failed'] } });
    expect(items).toMatchObject([{ subject: 'dataset:a', data: { blocking: false, failed: ['id min 0'] } }]);
  });
});

describe('a file that is wrong', () => {
  test('is refused by name when it is corrupt or ragged, and the server lives', async () => {
    const project = await projectOf('  a: { source: data/*.parquet }\n  b: { source: data/*.csv }\n');
    await project.write('data/1.parquet', 'PAR1 this is no Parquet file PAR1');
    await project.write('data/1.csv', 'id,origin\n1,JFK\n2\n3,EWR,extra\n');
    const [parquet, ragged] = await Promise.all([project.land('a'), project.land('b')]);
    expect(parquet).toMatchObject({
      state: 'failed',
      error: { code: 'SOURCE_UNREADABLE', message: expect.stringContaining('data/1.parquet') },
    });
    expect(ragged).toMatchObject({ state: 'failed', error: { message: expect.stringMatching(/data\/1\.csv.*line/s) } });
    await project.write('data/1.csv', 'id,origin\n1,JFK\n');
    expect(await project.land('b')).toMatchObject({ state: 'published', version: 1 });
  });

  test('in a format that its name does not tell says what to write', async () => {
    const project = await projectOf('  a: { source: data/* }\n');
    await project.write('data/1.dat', 'id\n1\n');
    await expect(project.land('a')).rejects.toMatchObject({ code: 'DATASET_FORMAT_UNKNOWN' });
  });
});

describe('columns that change', () => {
  test('are refused when the schema is fixed', async () => {
    const project = await projectOf('  a: { source: data/*.csv }\n');
    await project.write('data/1.csv', 'id,x\n1,2\n');
    await project.land('a');
    await project.write('data/2.csv', 'id,x,y\nJFK,2,3\n');
    expect(await project.land('a')).toMatchObject({
      state: 'failed',
      error: {
        code: 'DATASET_SCHEMA_CHANGED',
        message: expect.stringMatching(/data\/2\.csv: column "id" is VARCHAR, was BIGINT; column "y" is new/),
      },
    });
  });

  test('may come but not go when it may grow; older rows have none of the new', async () => {
    const project = await projectOf('  a: { source: data/*.csv, schema: grow }\n');
    await project.write('data/1.csv', 'id,x\n1,2\n');
    await project.land('a');
    await project.write('data/2.csv', 'id,x,y\n2,2,3\n');
    expect(await project.land('a')).toMatchObject({ state: 'published', version: 2 });
    expect(await project.query('select id, y from a order by id', 'a')).toEqual([
      { id: 1, y: null },
      { id: 2, y: 3 },
    ]);
    await project.write('data/3.csv', 'id,y\n3,3\n');
    expect(await project.land('a')).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('column "x" is gone') },
    });
  });
});

describe('what is landed', () => {
  test('has a profile that is computed once', async () => {
    const project = await projectOf('  a: { source: data/*.csv }\n');
    await project.write('data/1.csv', csv('1,JFK,', '2,JFK,x', '3,EWR,x'));
    await project.land('a');
    const client = await project.client();
    const first = await client.call(getDatasetProfile, { params: { name: 'a' }, query: {} });
    expect(JSON.stringify(first.profile)).toContain('JFK');
    expect(await client.call(getDatasetProfile, { params: { name: 'a' }, query: { version: 1 } })).toEqual(first);
  });

  test('can be cut into files by a column, each readable by its digest', async () => {
    const project = await projectOf('  a: { source: data/*.csv }\n');
    await project.write('data/1.csv', csv('1,JFK,x', '2,EWR,x', '3,JFK,x'));
    await project.land('a');
    const client = await project.client();
    const { files } = await client.call(runQuery, {
      body: {
        sql: 'select * from a',
        inputs: [{ name: 'a', dataset: 'a' }],
        partition: { by: 'origin', name: 'by-{value}.parquet' },
      },
    });
    expect(files.map(({ name }) => name).toSorted()).toEqual(['by-EWR.parquet', 'by-JFK.parquet']);
    const { rows } = await client.call(runQuery, {
      body: {
        sql: 'select count(*)::int as n from part',
        inputs: [{ name: 'part', sha256: files.find(({ name }) => name.includes('JFK'))?.sha256 ?? '' }],
        rows: 1,
      },
    });
    expect(rows).toEqual([{ n: 2 }]);
    await expect(
      client.call(runQuery, { body: { sql: 'select * from nothing', inputs: [], rows: 1 } }),
    ).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('nothing') });
    await expect(
      client.call(runQuery, { body: { sql: 'select 1', inputs: [{ name: 'b', dataset: 'b' }], rows: 1 } }),
    ).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
  });
});
