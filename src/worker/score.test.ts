import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../runtimes/fixtures/${name}`, import.meta.url));
const boosting = fixture('breast-cancer.onnx');
const sample = JSON.parse(readFileSync(fixture('breast-cancer.json'), 'utf8')) as {
  readonly rows: readonly (readonly number[])[];
  readonly probabilities: readonly number[];
};
const columns = Array.from({ length: 30 }, (_, place) => `f${place}`);

let folder: TaskFolder;
let cancer: string;
let flights: string;
beforeAll(async () => {
  folder = await createTaskFolder();
  const rows = sample.rows.map((row, index) => `(${[index, ...row].join(', ')})`);
  cancer = await folder.parquet(
    'cancer.parquet',
    `select n, ${columns.map((name) => `${name}::double as ${name}`).join(', ')} from (values ${rows.join(', ')}) as v(n, ${columns.join(', ')}) order by n`,
  );
  // columns-1.onnx: score = distance + 1, from carrier (text), flight (INT64), distance (FP32).
  flights = await folder.parquet(
    'flights.parquet',
    `select case when i % 4 = 0 then null else 'UA' end as carrier, i as flight, case when i = 2 then null else i * 10 end as distance, case when i % 5 = 0 then null else i * 7 % 30 end as arr_delay from range(20000) as r(i)`,
  );
});
afterAll(() => folder.remove());

describe('scoring', () => {
  test('gives what scikit-learn gave, for a model that takes one matrix', async () => {
    const output = await folder.run('score', {
      modelPath: boosting,
      format: 'onnx',
      paths: [cancer],
      columns,
      score: 'probabilities[1]',
      values: true,
    });
    expect(output).toMatchObject({ n: sample.rows.length, nLabelled: 0, unscored: 0 });
    for (const [row, score] of (output.scores ?? []).entries())
      expect(score).toBeCloseTo(sample.probabilities[row] ?? Number.NaN, 5);
  });

  test('writes row, score and label of a model with an input a column; nulls are NaN and the empty text', async () => {
    const output = await folder.run('score', {
      modelPath: fixture('columns-1.onnx'),
      format: 'onnx',
      paths: [flights],
      score: 'score',
      label: 'arr_delay > 15',
      outputPath: folder.path('scores.parquet'),
    });
    expect(output).toMatchObject({ n: 20_000, nLabelled: 16_000, unscored: 1, file: { rows: 20_000 } });
    const rows = await folder.read(`from '${folder.path('scores.parquet')}' limit 4`);
    expect(rows.map(({ row, score, label }) => [Number(row), score, label])).toEqual([
      [0, 1, null],
      [1, 11, 0],
      [2, null, 0],
      [3, 31, 1],
    ]);
    const [whole] = await folder.read(
      `select bool_and("row" = file_row_number and (score = "row" * 10 + 1 or "row" = 2)) as same from '${folder.path('scores.parquet')}'`,
    );
    expect(whole).toEqual({ same: true });
  });

  test('says which column lacks, what the outputs are, what is wrong with the label', async () => {
    const score = (change: object) =>
      folder.run('score', {
        modelPath: fixture('columns-1.onnx'),
        format: 'onnx',
        paths: [flights],
        score: 'score',
        ...change,
      });
    const lacking = await folder.parquet('lacking.parquet', `select 'UA' as carrier, 1 as flight, 1 as distanc`);
    await expect(score({ paths: [lacking] })).rejects.toMatchObject({
      code: 'MODEL_INPUTS_INVALID',
      message: expect.stringContaining('did you mean "distanc"?'),
    });
    await expect(score({ score: 'scor' })).rejects.toMatchObject({
      code: 'SCORE_INVALID',
      message: expect.stringContaining('did you mean "score"?'),
    });
    await expect(score({ score: 'score[3]' })).rejects.toMatchObject({ code: 'SCORE_INVALID' });
    await expect(score({ label: 'arr_dela > 15' })).rejects.toMatchObject({
      code: 'SQL_INVALID',
      message: expect.stringContaining('arr_dela'),
    });
    await expect(score({ label: '1, 2' })).rejects.toMatchObject({ code: 'SQL_INVALID' });
    await expect(score({ label: '1), (2' })).rejects.toMatchObject({ code: 'LABEL_INVALID' });
    await expect(score({ modelPath: flights })).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    const nulls = await folder.parquet(
      'nulls.parquet',
      `select 'UA' as carrier, null::bigint as flight, 1 as distance`,
    );
    await expect(score({ paths: [nulls] })).rejects.toMatchObject({
      code: 'MODEL_INPUTS_INVALID',
      message: expect.stringContaining('INT64'),
    });
    await expect(
      folder.run('score', { modelPath: boosting, format: 'onnx', paths: [cancer], score: 'probabilities[1]' }),
    ).rejects.toMatchObject({ message: expect.stringContaining('30 columns in order') });
    await expect(
      folder.run('score', { modelPath: boosting, format: 'onnx', paths: [cancer], columns, score: 'probabilities' }),
    ).rejects.toMatchObject({ message: expect.stringContaining('probabilities[1]') });
  });
});

describe('evaluation', () => {
  const label = 'n % 7 <> 0 and f0 < 15';

  test('gives the metrics of candidate and champion on the same rows, their difference paired', async () => {
    const metrics = folder.path('metrics.json');
    await writeFile(metrics, '{"auc_of_mine": 0.75}');
    const input = {
      candidate: boosting,
      champion: boosting,
      testPaths: [cancer],
      columns,
      label,
      score: 'probabilities[1]',
      metricsPath: metrics,
      seed: 7,
      resamples: 100,
    };
    const result = await folder.run('evaluate', input);
    expect(result.n).toBe(sample.rows.length);
    expect(result.candidate['auc']?.value).toBeGreaterThan(0.5);
    expect(result.champion).toEqual(result.candidate);
    expect(result.difference?.['auc']).toEqual({ value: 0, lower: 0, upper: 0 });
    expect(Object.keys(result.candidate)).toEqual(
      expect.arrayContaining(['auc', 'log_loss', 'brier', 'f1', 'calibration_error']),
    );
    expect(result.user).toEqual({ auc_of_mine: 0.75 });
    expect(await folder.run('evaluate', input)).toEqual(result);
  });

  test('leaves rows of unknown truth out, counted, and needs no champion', async () => {
    const result = await folder.run('evaluate', {
      candidate: boosting,
      testPaths: [cancer],
      columns,
      label: `case when n < 5 then null else ${label} end`,
      score: 'probabilities[1]',
    });
    expect(result).toMatchObject({ n: sample.rows.length - 5, unknown: 5, user: {} });
    expect(result).not.toHaveProperty('champion');
  });

  test('refuses labels that are neither true nor false, and metrics that are no numbers', async () => {
    const input = { candidate: boosting, testPaths: [cancer], columns, score: 'probabilities[1]' };
    await expect(folder.run('evaluate', { ...input, label: 'n' })).rejects.toMatchObject({ code: 'LABEL_INVALID' });
    await writeFile(folder.path('bad.json'), '{"auc": "high"}');
    await expect(
      folder.run('evaluate', { ...input, label, metricsPath: folder.path('bad.json') }),
    ).rejects.toMatchObject({ code: 'METRICS_INVALID' });
  });
});

test('a model is described with its signature, what may be null, and the distributions of inputs and score', async () => {
  const described = await folder.run('describe-model', {
    modelPath: fixture('columns-1.onnx'),
    trainPaths: [flights],
    score: 'score',
  });
  expect(described.inputs).toEqual([
    { name: 'carrier', datatype: 'BYTES', shape: [-1, 1], nullable: true },
    { name: 'flight', datatype: 'INT64', shape: [-1, 1] },
    { name: 'distance', datatype: 'FP32', shape: [-1, 1], nullable: true },
  ]);
  expect(described.train.rows).toBe(20_000);
  expect(described.train.columns.map(({ name, kind }) => [name, kind])).toEqual([
    ['carrier', 'categorical'],
    ['flight', 'numeric'],
    ['distance', 'numeric'],
  ]);
  expect(described.train.score).toMatchObject({ count: 19_999, missing: 1, min: 1, max: 199_991 });
});

test('an input that is looked up may be null, whatever the training rows had: a look-up may miss', async () => {
  const whole = await folder.parquet(
    'whole.parquet',
    `from '${flights}' where distance is not null and carrier = 'UA'`,
  );
  const nullable = async (lookups?: readonly string[]) => {
    const described = await folder.run('describe-model', {
      modelPath: fixture('columns-1.onnx'),
      trainPaths: [whole],
      score: 'score',
      ...(lookups && { lookups: [...lookups] }),
    });
    return described.inputs.filter((input) => input.nullable === true).map(({ name }) => name);
  };
  expect(await nullable()).toEqual([]);
  expect(await nullable(['dist', 'fl'])).toEqual(['distance']); // an integer has no null to take
});
