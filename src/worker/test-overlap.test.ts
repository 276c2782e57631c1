import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WorkerTaskInput } from '#contracts/worker';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const modelPath = pathOf('../runtimes/fixtures/columns-1.onnx');

let folder: TaskFolder;
let whole: string;
let fortnight: string;
beforeAll(async () => {
  folder = await createTaskFolder();
  // The example's flights; the model's score is distance + 1, which must be a probability.
  const source = pathOf('../../examples/flights/data/source/flights.parquet');
  whole = await folder.parquet(
    'whole.parquet',
    `select carrier, flight, -1.0 / distance as distance, time_hour, arr_delay from '${source}' where time_hour >= '2013-03-11' and time_hour < '2013-05-01'`,
  );
  fortnight = `from '${whole}' where time_hour >= '2013-04-17'`;
});
afterAll(() => folder.remove());

type Evaluate = Pick<WorkerTaskInput<'evaluate'>, 'time' | 'trained'>;

/** What a version keeps of the time of these training rows. */
const timeOf = async (name: string, where: string, time = 'time_hour') => {
  const trainPaths = [await folder.parquet(`${name}.parquet`, `from '${whole}' where ${where}`)];
  return (await folder.run('describe-model', { modelPath, trainPaths, score: 'score', time })).train.time;
};

const fit = async (name: string, where: string) => {
  const time = await timeOf(name, where);
  if (time === undefined) throw new Error(`nothing is kept of the time of ${name}`);
  return time;
};

const evaluate = async (input: Evaluate, rows: string, alone = false) => {
  const testPaths = [await folder.parquet('test.parquet', rows)];
  const models = { candidate: modelPath, ...(!alone && { champion: modelPath }) };
  return await folder.run('evaluate', {
    ...models,
    testPaths,
    label: 'arr_delay > 15',
    score: 'score',
    resamples: 1,
    ...input,
  });
};

test('rows do not overlap when a month is added and its last fourteen days are the test', async () => {
  const trained = {
    champion: await fit('first', "time_hour < '2013-03-18'"),
    candidate: await fit('second', "time_hour >= '2013-04-01' and time_hour < '2013-04-17'"),
  };
  const { overlap } = await evaluate({ time: 'time_hour', trained }, fortnight);
  expect(overlap).toEqual({
    overlaps: 'none',
    time: 'time_hour',
    testFrom: '2013-04-17T00:00:00.000Z',
    testUntil: '2013-04-30T23:00:00.000Z',
    candidate: { trainedUntil: { column: 'time_hour', at: '2013-04-16T23:00:00.000Z' }, rows: 0, share: 0 },
    champion: { trainedUntil: { column: 'time_hour', at: '2013-03-17T23:00:00.000Z' }, rows: 0, share: 0 },
  });
});

test('rows overlap as far as the rows at or before the last one of training', async () => {
  const before = await fit('before', "time_hour >= '2013-04-10' and time_hour < '2013-04-17'");
  const within = await fit('within', "time_hour >= '2013-04-10' and time_hour <= '2013-04-23 12:00:00'");
  const [seen] = await folder.read(
    `select count(*) filter (time_hour <= '2013-04-23 12:00:00') as n, count(*) as whole from (${fortnight})`,
  );
  const rows = Number(seen?.['n']);
  const [share, at] = [rows / Number(seen?.['whole']), '2013-04-23T12:00:00.000Z'];
  const found = { trainedUntil: { column: 'time_hour', at }, rows, share };
  expect(rows).toBeGreaterThan(0);
  const overlapOf = async (trained: NonNullable<Evaluate['trained']>, alone = false) =>
    (await evaluate({ time: 'time_hour', trained }, fortnight, alone)).overlap;
  expect(await overlapOf({ candidate: before, champion: within })).toMatchObject({
    overlaps: 'champion',
    champion: found,
    candidate: { rows: 0 },
  });
  expect(await overlapOf({ candidate: within, champion: before })).toMatchObject({
    overlaps: 'candidate',
    candidate: found,
  });
  expect(await overlapOf({ candidate: within, champion: within })).toMatchObject({ overlaps: 'both' });
  expect(await overlapOf({ candidate: within }, true)).toMatchObject({ overlaps: 'candidate', candidate: found });
  // known of one, nothing of the other
  const unlike = { overlaps: 'champion', champion: found, why: expect.stringContaining('the candidate') };
  expect(await overlapOf({ champion: within })).toMatchObject(unlike);
});

test('overlaps are told to be unknown, with the reason, and nothing fails', async () => {
  const candidate = await fit('known', "time_hour < '2013-03-18'");
  expect(await timeOf('unknown', "time_hour < '2013-03-18'", 'time_hours')).toBeUndefined();
  const overlapOf = async (input: Evaluate, rows = fortnight) => (await evaluate(input, rows)).overlap;
  expect(await overlapOf({})).toMatchObject({ overlaps: 'unknown', why: expect.stringContaining('`time`') });
  expect(await overlapOf({ time: 'time_hour', trained: { candidate } })).toMatchObject({
    overlaps: 'unknown',
    candidate: { rows: 0 },
    why: 'the time of the rows that the champion learnt from was not kept',
  });
  const trained = { candidate, champion: candidate };
  const nowhere = `select * replace (null::timestamp as time_hour) ${fortnight}`;
  for (const [time, rows, why] of [
    ['time_hours', fortnight, 'of the test rows: they have no column "time_hours"'],
    ['carrier', fortnight, 'of the test rows: their column "carrier" is VARCHAR, not a time'],
    ['time_hour', nowhere, 'of the test rows: their column "time_hour" has no time'],
  ] as const)
    expect(await overlapOf({ time, trained }, rows)).toEqual({ overlaps: 'unknown', time, why });
});

test('a time is read with a zone, as a day, or as an integer of milliseconds; what is no date is not known', async () => {
  const candidate = await fit('zoned', "time_hour >= '2013-04-10' and time_hour <= '2013-04-23'");
  const read = async (expression: string) => {
    const rows = `select * replace (${expression} as time_hour) ${fortnight}`;
    return (await evaluate({ time: 'time_hour', trained: { candidate } }, rows, true)).overlap;
  };
  const known = await read('time_hour');
  expect(known).toMatchObject({ overlaps: 'candidate', testFrom: '2013-04-17T00:00:00.000Z' });
  expect(await read('time_hour::timestamptz')).toEqual(known);
  expect(await read('time_hour::timestamp_ns')).toEqual(known);
  expect(await read('epoch_ms(time_hour::timestamp)')).toEqual(known);
  // rows of the 23rd lie at its beginning
  expect(await read('time_hour::date')).toMatchObject({ overlaps: 'candidate', testUntil: '2013-04-30T00:00:00.000Z' });
  expect(await read('epoch_ns(time_hour::timestamp)')).toMatchObject({ overlaps: 'unknown' });
});
