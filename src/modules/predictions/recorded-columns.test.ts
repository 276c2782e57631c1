import { beforeAll, expect, test } from 'vitest';
import type { PredictionRecord } from '#contracts/prediction-record';
import type { PredictionView } from '#contracts/predictions';
import { encodeFrames } from '#contracts/spool-frame';
import { builtModule } from '#platform/testing/built-program';
import { describeDatabases } from '#platform/testing/database';
import { createCompaction } from './compaction-service.ts';
import { createLookup } from './lookup-service.ts';
import { aRecord, day, endpoint, type LogBench, openBench, project, start } from './testing/log-bench.ts';

beforeAll(() => builtModule('worker/tasks.js').then(() => undefined), 120_000);

/** One file each, so that some of them lack what others have. */
async function taken(bench: LogBench, records: readonly PredictionRecord[]): Promise<void> {
  await bench.register('r1', 1);
  for (const [at, record] of records.entries()) await bench.send(at, encodeFrames([record], at));
}

const tensorsOf = (view: PredictionView | undefined) => view?.rows.map(({ inputs, outputs }) => [inputs, outputs]);

/** What a look-up tells of each, and once their day has become one file. */
async function lookTwice(
  bench: LogBench,
  records: readonly PredictionRecord[],
  tell: (view: PredictionView | undefined) => unknown,
): Promise<{ readonly before: readonly unknown[]; readonly after: readonly unknown[] }> {
  const look = async () => {
    const seen = [];
    for (const { predictionId } of records)
      seen.push(tell(await createLookup(bench.deps).find(bench.database.read, project, predictionId)));
    return seen;
  };
  const before = await look();
  await createCompaction(bench.deps).compactDays({ actor: 'user:test' }, project, endpoint, start + 2 * day);
  expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({ files: 1 });
  return { before, after: await look() };
}

describeDatabases('what the log keeps of a request', (open) => {
  test('which branches of a graph each row took, and how the answer of a shadow differs', async () => {
    const bench = await openBench(await open());
    const routed: PredictionRecord = {
      ...aRecord({ id: 2, atMs: start }),
      keys: [],
      eventTimesMs: [start, start],
      rows: 2,
      inputs: [{ name: 'distance', datatype: 'FP32', shape: [2, 1], data: Float32Array.of(1, 2) }],
      outputs: [],
      branches: { tier: ['big', ''], 'a "b"': ['one'] },
    };
    const difference = { rows: 1, maxAbs: 0.25 };
    const shadow = { ...aRecord({ id: 3, atMs: start, shadowOf: 1 }), difference };
    const records = [aRecord({ id: 1, atMs: start }), routed, shadow];
    await taken(bench, records);
    const seen = await lookTwice(bench, records, (view) => [
      view?.difference,
      view?.rows.map(({ branches }) => branches),
    ]);
    const wanted = [
      [undefined, [undefined]],
      [undefined, [{ tier: 'big', 'a "b"': 'one' }, { 'a "b"': 'one' }]],
      [difference, [undefined]],
    ];
    expect(seen).toEqual({ before: wanted, after: wanted });
  });

  test('a column that is kept out is null among its neighbours, and is not counted as a value that is missing', async () => {
    const bench = await openBench(await open());
    const matrix = { name: 'x', datatype: 'FP32', shape: [1, 3], data: Float32Array.of(1, Number.NaN, 3) } as const;
    const inputs = [{ ...matrix, withheld: [1] }];
    const record = { ...aRecord({ id: 1, atMs: start }), inputs, redacted: ['distance', 'origin'] };
    await taken(bench, [record, aRecord({ id: 2, atMs: start })]);
    const [counts] = await bench.module.api.counts(bench.database.read, {
      project,
      endpoint,
      fromMs: start,
      toMs: start + day,
    });
    expect(counts?.columns).toEqual([
      { counts: [0, 1, 0, 0], other: 0, nulls: 0 },
      { counts: [1, 0], other: 0, nulls: 0 },
    ]);
    const none = { x: [1, null, 3] };
    const all = { distance: 150, origin: 'EWR' };
    const seen = await lookTwice(bench, [record, aRecord({ id: 2, atMs: start })], (view) => view?.rows[0]?.inputs);
    expect(seen).toEqual({ before: [none, all], after: [none, all] });
  });

  test('bytes that are no text, exactly, and halves as numbers', async () => {
    const bench = await openBench(await open());
    const blob = Uint8Array.of(0xff, 0, 0xfe);
    const base64 = Buffer.from(blob).toString('base64');
    const texts: PredictionRecord = {
      ...aRecord({ id: 1, atMs: start }),
      inputs: [{ name: 'blob', datatype: 'BYTES', shape: [1], data: ['Zürich'] }],
      outputs: [{ name: 'many', datatype: 'BYTES', shape: [1, 2], data: ['a', 'b'] }],
    };
    const odd: PredictionRecord = {
      ...texts,
      predictionId: aRecord({ id: 2, atMs: start }).predictionId,
      inputs: [
        { name: 'blob', datatype: 'BYTES', shape: [1], data: [blob] },
        { name: 'half', datatype: 'BF16', shape: [1, 2], data: Uint16Array.of(0x4049, 0xc000) },
      ],
      outputs: [{ name: 'many', datatype: 'BYTES', shape: [1, 2], data: ['a', blob] }],
    };
    await taken(bench, [texts, odd]);
    const seen = await lookTwice(bench, [texts, odd], tensorsOf);
    const wanted = [
      [[{ blob: 'Zürich' }, { many: ['a', 'b'] }]],
      [[{ half: [3.140625, -2], blob: { base64 } }, { many: ['a', { base64 }] }]],
    ];
    expect(seen).toEqual({ before: wanted, after: wanted });
  });
});
