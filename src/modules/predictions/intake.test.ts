import { beforeAll, expect, test } from 'vitest';
import { encodeFrames, writeFrame } from '#contracts/spool-frame';
import { builtModule } from '#platform/testing/built-program';
import { describeDatabases } from '#platform/testing/database';
import type { PredictionsTables } from './predictions-tables.ts';
import { replicaLiveMs } from './progress-service.ts';
import { countRowsOf } from './segment-store.ts';
import { aRecord, day, endpoint, idOf, openBench, project, start } from './testing/log-bench.ts';

const hour = 3_600_000;
beforeAll(() => builtModule('worker/tasks.js').then(() => undefined), 120_000);
const range = { project, endpoint, fromMs: start, toMs: start + day };

describeDatabases('intake of predictions', (open) => {
  test('makes rows and counts of a delivery and answers the next wanted offset', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const records = [
      aRecord({ id: 1, atMs: start, score: 0.9, distance: 50 }),
      aRecord({ id: 2, atMs: start + 2 * hour, score: 0.1, distance: Number.NaN, origin: 'SFO' }),
      aRecord({ id: 3, atMs: start + 2 * hour, shadowOf: 2, score: 0.6, origin: '' }),
    ];
    expect(await bench.send(0, encodeFrames(records, 0))).toEqual({ outcome: 'taken', next: 3 });

    const counts = await bench.module.api.counts(bench.database.read, range);
    const primary = counts.find(({ role }) => role === 'primary');
    expect(primary).toMatchObject({ revision: 'r1', rows: 2, errors: 0, labelled: 0 });
    expect(primary?.columns).toEqual([
      { counts: [1, 0, 0, 0], other: 0, nulls: 1 },
      { counts: [1, 0], other: 1, nulls: 0 },
    ]);
    expect(primary?.score).toEqual({ counts: [1, 0, 0, 1], other: 0, nulls: 0 });
    expect(counts.find(({ role }) => role === 'shadow')).toMatchObject({ rows: 1, columns: [{}, { nulls: 1 }] });
    const snapshot = await bench.module.api.rows(bench.database.read, range);
    expect([...bench.held.keys()]).toEqual(snapshot.rows.map(({ sha256 }) => sha256));
    // what lineage says of the examples that it shows: of how many
    expect(await countRowsOf(bench.database.read, 'r1')).toBe(3);
    expect(await countRowsOf(bench.database.read, 'nobody')).toBe(0);
  });

  test('takes the same chunk once, however often it is sent', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const chunk = encodeFrames([aRecord({ id: 1, atMs: start }), aRecord({ id: 2, atMs: start })], 0);
    const answers = await Promise.all([bench.send(0, chunk), bench.send(0, chunk)]);
    expect(answers.map(({ outcome }) => outcome).toSorted()).toEqual(['refused', 'taken']);
    expect(answers.map(({ next }) => next)).toEqual([2, 2]);
    expect(await bench.send(0, chunk)).toEqual({ outcome: 'refused', next: 2 });
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({
      rows: 2,
      files: 1,
    });
  });

  test('asks for the offset that it wants when another is sent', async () => {
    const bench = await openBench(await open());
    expect(await bench.send(7, encodeFrames([aRecord({ id: 1, atMs: start })], 7))).toEqual({
      outcome: 'refused',
      next: 0,
    });
  });

  test('takes what is whole of a segment that was cut in the middle, and the rest afterwards', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const records = [1, 2, 3].map((id) => aRecord({ id, atMs: start }));
    const whole = encodeFrames(records, 0);
    expect(await bench.send(0, whole.subarray(0, whole.length - 5))).toEqual({ outcome: 'taken', next: 2 });
    await expect(bench.send(2, whole.subarray(whole.length - 50))).rejects.toMatchObject({ code: 'SPOOL_FRAME_BAD' });
    expect(await bench.send(2, encodeFrames(records.slice(2), 2))).toEqual({ outcome: 'taken', next: 3 });
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({ rows: 3 });
  });

  test('refuses a frame whose checksum is wrong and takes those before it', async () => {
    const bench = await openBench(await open());
    const bytes = encodeFrames([aRecord({ id: 1, atMs: start }), aRecord({ id: 2, atMs: start })], 0);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0xff;
    expect(await bench.send(0, bytes)).toEqual({ outcome: 'taken', next: 1 });
    await expect(bench.send(1, bytes.subarray(bytes.length / 2))).rejects.toMatchObject({ code: 'SPOOL_FRAME_BAD' });
  });

  test('records a gap that the sender declares, and alerts', async () => {
    const bench = await openBench(await open());
    const late = encodeFrames([aRecord({ id: 9, atMs: start })], 5);
    expect(await bench.send(5, late, true)).toEqual({ outcome: 'taken', next: 6 });
    expect(bench.alerts).toEqual(['default predictions:lost:one']); // whose records they were nobody knows
  });

  test('keeps a row whose event time lies in the future under the time of receipt', async () => {
    const bench = await openBench(await open());
    const future = aRecord({ id: 1, atMs: start + day, receivedAtMs: start + hour });
    await bench.send(0, encodeFrames([future], 0));
    const [count] = await bench.module.api.counts(bench.database.read, range);
    expect(count).toMatchObject({ rows: 1 });
    // a replay's event times are its own
    await bench.register('r1', 1);
    await bench.send(1, encodeFrames([{ ...future, predictionId: idOf(2) }], 1));
    expect(
      await bench.module.api.counts(bench.database.read, { ...range, fromMs: start + day, toMs: start + 2 * day }),
    ).toHaveLength(1);
  });

  test('changes nothing when the process dies before the unit, and takes the chunk when it is sent again', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    const chunk = encodeFrames([aRecord({ id: 1, atMs: start })], 0);
    bench.failNext('write');
    await expect(bench.send(0, chunk)).rejects.toThrow('the process died');
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({ rows: 0 });
    bench.failNext('log-intake');
    await expect(bench.send(0, chunk)).rejects.toThrow('the process died');
    expect(await bench.send(0, chunk)).toEqual({ outcome: 'taken', next: 1 });
  });

  test('settles an event time once all that was written by then is taken', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start + hour }]);
    await bench.report(start + 3 * hour, 2);
    expect(await bench.module.api.progress(bench.database.read, project, endpoint)).toMatchObject({
      caughtUp: false,
      settledMs: undefined,
    });
    await bench.deliver([{ id: 2, atMs: start + 3 * hour }]);
    expect(await bench.module.api.watermark(bench.database.read, project, endpoint)).toBe(start + 3 * hour);
  });

  test('settles the hours of a live endpoint that has gone quiet, but not of a replay', async () => {
    const bench = await openBench(await open());
    const { clock } = bench.database;
    const settled = () => bench.module.api.watermark(bench.database.read, project, endpoint);
    await bench.register('r1', 1, 'live');
    await bench.module.upkeep.settle();
    expect(await settled()).toBeUndefined();
    const answeredMs = clock.nowMs();
    await bench.deliver([{ id: 1, atMs: answeredMs }]);
    await bench.report(answeredMs);
    clock.advance(hour - 1);
    await bench.module.upkeep.settle();
    expect(await settled()).toBe(answeredMs);
    clock.advance(replicaLiveMs + 1);
    await bench.module.upkeep.settle();
    expect(await settled()).toBe(answeredMs + hour);
    // one that is alive and has more to deliver is waited for; one that is silent is not
    clock.advance(hour);
    await bench.report(answeredMs, 2);
    await bench.module.upkeep.settle();
    expect(await settled()).toBe(answeredMs + hour);
    clock.advance(replicaLiveMs + 1);
    await bench.module.upkeep.settle();
    expect(await settled()).toBe(answeredMs + 2 * hour + replicaLiveMs + 1);
    await bench.register('r2', 2);
    clock.advance(day);
    const before = await settled();
    await bench.module.upkeep.settle();
    expect(await settled()).toBe(before);
  });

  test('a replica that does not deliver holds back its own endpoints alone', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.deliver([{ id: 1, atMs: start }]);
    const stuck = { replica: 'two', project: 'flights', endpoint: 'gates' };
    await bench.report(start + hour, 5, stuck);
    await bench.report(start + hour);
    const { api } = bench.module;
    expect(await api.watermark(bench.database.read, project, endpoint)).toBe(start + hour);
    expect((await api.progress(bench.database.read, project, endpoint))?.caughtUp).toBe(true);
    // It answers at this endpoint too: now its records are waited for.
    await bench.report(start + 2 * hour, 6, { replica: 'two' });
    await bench.report(start + 3 * hour);
    expect(await api.watermark(bench.database.read, project, endpoint)).toBe(start + hour);
    expect((await api.progress(bench.database.read, project, endpoint))?.caughtUp).toBe(false);
  });

  test('a live replica that stays behind for minutes is told of where it answers, until it has caught up', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.report(start, 2, { project: 'flights' });
    await bench.report(start, 2);
    bench.database.clock.advance(4 * 60_000);
    await bench.report(start, 3);
    expect(bench.alerts).toEqual([]);
    await bench.deliver([{ id: 1, atMs: start }]); // two more are wanted
    bench.database.clock.advance(61_000);
    for (let turn = 0; turn < 3; turn += 1) await bench.report(start, 3);
    const behind = ['default predictions:behind:one', 'flights predictions:behind:one'];
    expect(bench.alerts).toEqual(behind);
    await bench.deliver([
      { id: 2, atMs: start },
      { id: 3, atMs: start },
    ]);
    for (let turn = 0; turn < 2; turn += 1) await bench.report(start);
    expect(bench.alerts).toEqual([...behind, ...behind.map((line) => `${line} resolved`)]);
    await bench.report(start, 4);
    bench.database.clock.advance(60_000);
    await bench.report(start, 4);
    expect(bench.alerts).toHaveLength(4);
  });

  test('a loss is told in every project that the replica answers for', async () => {
    const bench = await openBench(await open());
    for (const where of ['flights', 'trains']) await bench.report(start, 0, { project: where });
    await bench.send(2, encodeFrames([aRecord({ id: 9, atMs: start })], 2), true);
    expect(bench.alerts).toEqual(['flights predictions:lost:one', 'trains predictions:lost:one']);
  });

  test('what was wanted of an epoch that the replica has no more, or has shorter, is lost, and told once', async () => {
    const bench = await openBench(await open());
    await bench.register('r1', 1);
    await bench.report(start, 1); // nothing of it was ever taken, but it still may be
    await bench.deliver([{ id: 1, atMs: start }]);
    // an epoch that was taken whole goes without a word, with the server away at that time too
    await bench.report(start, 0, { epochs: ['e2'] });
    expect(bench.alerts).toEqual([]);
    await bench.report(start, 6, { epochs: ['e2'] });
    const lostOf = async () =>
      (
        await bench.database.read
          .query<PredictionsTables>()
          .selectFrom('prediction_spools')
          .select(['prediction_spools.epoch', 'prediction_spools.lost'])
          .orderBy('prediction_spools.epoch')
          .execute()
      ).map(({ epoch, lost }) => `${epoch} ${lost}`);
    expect(await lostOf()).toEqual(['e1 0', 'e2 0']);
    for (let turn = 0; turn < 2; turn += 1) await bench.report(start, 4, { epochs: ['e2'] });
    expect(await lostOf()).toEqual(['e1 0', 'e2 2']);
    expect(bench.alerts).toEqual(['default predictions:lost:one']);
    for (let turn = 0; turn < 2; turn += 1) await bench.report(start, 0, { epochs: ['e3'] });
    expect(await lostOf()).toEqual(['e1 0', 'e2 6', 'e3 0']);
    expect(bench.alerts).toEqual(['default predictions:lost:one', 'default predictions:lost:one']);
    // and holds no watermark back
    await bench.report(start + hour, 0, { epochs: ['e3'] });
    expect(await bench.module.api.watermark(bench.database.read, project, endpoint)).toBe(start + hour);
  });

  test('a frame whose content is no record is refused as one, whatever its checksum says', async () => {
    const bench = await openBench(await open());
    const common = Buffer.from('{"version":1,');
    const frame = Buffer.alloc(40);
    writeFrame(frame, 0, 0, { common, own: '{}', ownBytes: 2, inputs: [], outputs: [], sizeBytes: frame.length });
    await expect(bench.send(0, frame)).rejects.toMatchObject({ code: 'SPOOL_FRAME_BAD' });
    expect(await bench.send(1, Buffer.alloc(0), true)).toEqual({ outcome: 'taken', next: 1 });
    expect(await bench.send(1, encodeFrames([aRecord({ id: 2, atMs: start })], 1))).toMatchObject({ next: 2 });
  });
});
