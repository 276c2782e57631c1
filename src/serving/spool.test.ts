import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { PredictionEnvelope } from '#contracts/prediction-record';
import { maxFrameBytes, prepareRecord } from '#contracts/spool-frame';
import { decodeFrames } from '#contracts/spool-frame-reader';
import { createLogger } from '#platform/log';
import { builtModule } from '#platform/testing/built-program';
import { defaultSpoolLimits, openSpool } from './spool.ts';

const logger = createLogger({ level: 'silent' });
const aFolder = () => mkdtempSync(join(tmpdir(), 'tidemill-spool-'));
const open = async (folder: string, epoch: string) => {
  const spool = await openSpool({ folder, epoch, limits: defaultSpoolLimits, logger });
  onTestFinished(() => spool.close());
  return spool;
};

test.each([
  { by: 'this thread', fsync: false },
  { by: 'another, beside a sync', fsync: true },
])(
  'after a write of $by that the disk cut short no frame of it comes back under an offset that is given again',
  async ({ fsync }) => {
    const spoolModule = await builtModule('serving/spool.js');
    const frameModule = await builtModule('contracts/spool-frame.js');
    const folder = aFolder();
    // A process that may write files of 4 KiB (8 blocks): the turn of ten records fails in its middle, as on a full disk.
    const program = `
    const { openSpool } = await import(${JSON.stringify(spoolModule)});
    const { prepareRecord } = await import(${JSON.stringify(frameModule)});
    const logger = { error() {}, warn() {} };
    const limits = { maxBytes: 2 ** 30, segmentBytes: 2 ** 26, segmentMs: 60000 };
    const spool = await openSpool({ folder: ${JSON.stringify(folder)}, epoch: 'e1', limits, logger });
    const given = { keys: [], eventTimesMs: [], receivedAtMs: 1, durationUs: 1, principal: 'x'.repeat(700) };
    const append = (id, fsync = false) => spool.append(prepareRecord({ predictionId: id, ...given }, [], []), fsync);
    const kept = append('kept', ${fsync});
    await new Promise((resolve) => setImmediate(resolve));
    const results = ${fsync} ? [] : [await kept];
    results.push(...await Promise.all(Array.from({ length: 10 }, (_, at) => append('lost-' + at))));
    if (${fsync}) results.unshift(await kept);
    results.push(await append('after'));
    console.log(JSON.stringify(results));
    process.exit(0);`;
    const printed = execFileSync('sh', [
      '-c',
      'ulimit -f 8; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      program,
    ]);
    expect(JSON.parse(printed.toString())).toEqual(['written', ...Array.from({ length: 10 }, () => 'lost'), 'written']);

    const [before] = (await open(folder, 'e2')).epochs;
    expect(before?.segments.map(({ firstOffset, nextOffset }) => [firstOffset, nextOffset])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    const files = readdirSync(join(folder, 'e1')).toSorted();
    const frames = files.flatMap((name) => decodeFrames(readFileSync(join(folder, 'e1', name))).frames);
    expect(frames.map(({ offset, record }) => [offset, record.predictionId])).toEqual([
      [0, 'kept'],
      [1, 'after'],
    ]);
  },
);

const envelope: PredictionEnvelope = {
  version: 1,
  predictionId: '',
  requestId: 'r',
  keys: [],
  rows: 1,
  eventTimesMs: [],
  receivedAtMs: 1,
  durationUs: 1,
  project: 'default',
  endpoint: 'm',
  revision: 'm-1',
  modelRef: 'model:m@1',
  role: 'primary',
  reason: 'only',
  propensity: 1,
  status: 'ok',
  principal: 'user:local',
};
const tiny = { common: Buffer.from('{}'), own: '{}', ownBytes: 2, inputs: [], outputs: [], sizeBytes: 32 };

test('a record longer than a frame may be is lost by itself, not with what stands beside it', async () => {
  const spool = await open(aFolder(), 'e1');
  const results = [tiny, { ...tiny, sizeBytes: maxFrameBytes + 1 }, tiny].map((record) => spool.append(record, false));
  expect(await Promise.all(results)).toEqual(['written', 'lost', 'written']);
  expect(spool.dropped).toBe(1);
});

test('records that wait for the disk are answered, however often segments are closed under them', async () => {
  const folder = aFolder();
  // Each turn closes its segment; the syncs and the closing of the descriptors go on behind.
  const limits = { ...defaultSpoolLimits, segmentBytes: 1 };
  const spool = await openSpool({ folder, epoch: 'e1', limits, logger });
  const results: Promise<string>[] = [];
  for (let turn = 0; turn < 50; turn += 1) {
    results.push(spool.append(tiny, turn % 2 === 0));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(new Set(await Promise.all(results))).toEqual(new Set(['written']));
  await spool.close();
  const files = readdirSync(join(folder, 'e1')).toSorted();
  expect(files.length).toBeGreaterThan(1);
  const [before] = (await open(folder, 'e2')).epochs;
  expect(before?.next).toBe(50);
  expect(before?.segments).toHaveLength(files.length);
});

test('what is appended while another thread writes beside a sync comes behind it, whole and in order', async () => {
  const folder = aFolder();
  const spool = await openSpool({ folder, epoch: 'e1', limits: defaultSpoolLimits, logger });
  const appended: string[] = [];
  const results: Promise<string>[] = [];
  for (let turn = 0; turn < 300; turn += 1) {
    for (let item = 0; item <= turn % 4; item += 1) {
      const predictionId = `${turn}-${item}`;
      appended.push(predictionId);
      const record = prepareRecord({ ...envelope, predictionId }, [], []);
      results.push(spool.append(record, turn % 3 === 0));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await spool.close();
  expect(new Set(await Promise.all(results))).toEqual(new Set(['written']));
  const [file = ''] = readdirSync(join(folder, 'e1'));
  const { frames } = decodeFrames(readFileSync(join(folder, 'e1', file)));
  expect(frames.map(({ record }) => record.predictionId)).toEqual(appended);
  expect(frames.map(({ offset }) => offset)).toEqual(appended.map((_, offset) => offset));
});
