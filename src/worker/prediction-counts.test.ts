import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeKey } from '#contracts/entity-key';
import { countCategories } from '#statistics/categories';
import { countIntoCells } from '#statistics/histogram';
import { countScores } from '#statistics/score-counts';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
beforeAll(async () => {
  folder = await createTaskFolder();
});
afterAll(() => folder.remove());

test('a sketch counts as the statistics do, per revision and hour, and skips what it was not asked for', async () => {
  const hour = 3_600_000;
  const start = Date.UTC(2013, 2, 1);
  const rows = Array.from({ length: 200 }, (_, n) => ({
    revision: n % 4 === 3 ? 'r2' : n % 40 === 1 ? 'other' : 'r1',
    at: start + Math.floor(n / 50) * hour + n,
    x: n % 11 === 0 ? null : n % 13 === 0 ? Number.NaN : n / 10,
    c: n % 9 === 0 ? null : ['a', 'b', 'z'][n % 3],
    score: n % 17 === 0 ? null : (n % 100) / 100,
    label: n % 6 === 0 ? null : n % 2,
  }));
  const text = rows.map(
    ({ revision, at, x, c, score, label }) =>
      `('${revision}', ${at}, ${Number.isNaN(x) ? "'nan'" : x}::double, ${c == null ? 'null' : `'${c}'`}, ${score}::double, ${label})`,
  );
  const path = await folder.parquet(
    'log.parquet',
    `select * from (values ${text.join(', ')}) as v(revision, event_time, x, c, score, label)`,
  );
  const [edges, categories] = [
    [1, 5, 5.5, 18],
    ['a', 'b'],
  ];
  const { hours, skipped } = await folder.run('sketch', {
    paths: [path],
    eventTime: 'event_time',
    revision: 'revision',
    revisions: ['r1', 'r2'].map((revision) => ({
      revision,
      columns: [
        { name: 'x', kind: 'numeric' as const, edges },
        { name: 'c', kind: 'categorical' as const, categories },
      ],
      scored: { score: 'score', label: 'label', bins: 20 },
    })),
  });
  expect(skipped).toBe(rows.filter(({ revision }) => revision === 'other').length);
  expect(hours).toHaveLength(8);
  for (const found of hours) {
    const mine = rows.filter(
      ({ revision, at }) => revision === found.revision && Math.floor(at / hour) * hour === found.hourMs,
    );
    expect(found.rows).toBe(mine.length);
    expect(found.cells['x']).toEqual(
      countIntoCells(
        mine.map(({ x }) => x),
        edges,
      ),
    );
    expect(found.categories['c']).toEqual(
      countCategories(
        mine.map(({ c }) => c),
        categories,
      ),
    );
    expect(found.scored).toEqual(
      countScores(
        mine.flatMap(({ label, score }) => (label === null ? [] : [{ label, score }])),
        20,
      ),
    );
  }
});

describe('truth', () => {
  test('meets predictions by key and event time, the keys encoded as clients encode them', async () => {
    const at = new Date(Date.UTC(2013, 0, 1, 10));
    const keys = [
      ['UA', 1545, 'EWR', at],
      ['UA "x"', 2, "it's", at],
      ['AA', 3, 'LGA', at],
    ].map(encodeKey);
    const predictions = await folder.parquet(
      'predictions.parquet',
      `select * from (values ${keys.map((key, n) => `('p${n}.0', '${key.replaceAll("'", "''")}', ${at.getTime()})`).join(', ')}) as v(id, key, event_time)`,
    );
    const truth = await folder.parquet(
      'truth.parquet',
      `select carrier, flight, origin, timestamp '2013-01-01 10:00:00' as time_hour, arr_delay from (values ('UA', 1545, 'EWR', 20), ('UA "x"', 2, 'it''s', null), ('B6', 9, 'JFK', 1)) as v(carrier, flight, origin, arr_delay)`,
    );
    const output = await folder.run('truth-join', {
      predictions: { paths: [predictions], id: 'id', key: 'key', time: 'event_time' },
      truth: {
        paths: [truth],
        key: ['carrier', 'flight', 'origin', 'time_hour'],
        time: 'time_hour',
        value: 'arr_delay > 15',
        recordedAtMs: 5,
        source: 'dataset:flights@2',
      },
      outputPath: folder.path('matched.parquet'),
    });
    expect(output).toMatchObject({ matched: 2, unknown: 1, unmatched: 1, rows: 2 });
    const rows = await folder.read(`from '${folder.path('matched.parquet')}'`);
    expect(rows).toEqual([
      { prediction_row: 'p0.0', value: 1, observed_at: '5', recorded_at: '5', source: 'dataset:flights@2' },
      { prediction_row: 'p1.0', value: null, observed_at: '5', recorded_at: '5', source: 'dataset:flights@2' },
    ]);
  });

  test('meets predictions by id; the latest observation counts', async () => {
    const predictions = await folder.parquet('p.parquet', `select 'a.0' as id`);
    const truth = await folder.parquet(
      't.parquet',
      `select * from (values ('a.0', 1, timestamp '2013-01-03'), ('a.0', 0, timestamp '2013-01-04'), ('b.0', 1, timestamp '2013-01-04')) as v(id, late, seen)`,
    );
    const output = await folder.run('truth-join', {
      predictions: { paths: [predictions], id: 'id' },
      truth: { paths: [truth], id: 'id', value: 'late', observedAt: 'seen', recordedAtMs: 9, source: 'push' },
      outputPath: folder.path('m.parquet'),
    });
    expect(output).toMatchObject({ matched: 1, unknown: 0, unmatched: 1 });
    expect(await folder.read(`select value, observed_at::varchar as o from '${folder.path('m.parquet')}'`)).toEqual([
      { value: 0, o: String(Date.UTC(2013, 0, 4)) },
    ]);
  });
});
