import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import type { PredictionRecord } from './prediction-record.ts';
import { decodeFrames, encodeFrames, probeFrame } from './spool-frame.ts';

const aRecord = (more: Partial<PredictionRecord> = {}): PredictionRecord => ({
  version: 1,
  predictionId: '00000000-0000-7000-8000-000000000001',
  requestId: 'r',
  keys: ['a', null],
  rows: 2,
  eventTimesMs: [1, 2],
  receivedAtMs: 3,
  durationUs: 4,
  project: 'default',
  endpoint: 'e',
  revision: 'r1',
  modelRef: 'model:m@1',
  role: 'primary',
  reason: 'only',
  propensity: 1,
  status: 'ok',
  principal: 'user:local',
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [2, 1], data: Float32Array.of(1.5, Number.NaN) },
    { name: 'text', datatype: 'BYTES', shape: [2], data: ['', 'Zürich ✈'] },
  ],
  outputs: [{ name: 'y', datatype: 'INT64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) }],
  ...more,
});

test('the checksum is CRC-32C: the check value of its specification', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.from('xx123456789yy'), 2, 11)).toBe(0xe3069283);
});

test('records come back as they were written, with typed arrays and their offsets', () => {
  const records = [
    aRecord(),
    aRecord({ outputs: [], status: 'error', error: 'it failed' }),
    aRecord({ rows: 0, inputs: [] }),
  ];
  const { frames, stopped } = decodeFrames(encodeFrames(records, 2 ** 33));
  expect(stopped).toBe('end');
  expect(frames.map(({ offset }) => offset)).toEqual([2 ** 33, 2 ** 33 + 1, 2 ** 33 + 2]);
  expect(frames.map(({ record }) => record)).toEqual(records);
});

test('a tensor of any name survives', () => {
  for (const name of ['x', 'a "b"', 'Zürich\n✈', 'back\\slash', '\ud800']) {
    const record = aRecord({ inputs: [{ name, datatype: 'FP32', shape: [], data: Float32Array.of(1) }] });
    expect(decodeFrames(encodeFrames([record], 0)).frames.map((frame) => frame.record)).toEqual([record]);
  }
});

test('tensors of any values survive at any alignment', () => {
  fc.assert(
    fc.property(
      fc.float64Array({ maxLength: 5 }),
      fc.array(fc.string({ unit: 'grapheme', maxLength: 5 }), { maxLength: 5 }),
      fc.nat(7),
      (numbers, texts, shift) => {
        const record = aRecord({
          inputs: [
            { name: 'b', datatype: 'BOOL', shape: [shift], data: new Uint8Array(shift).fill(1) },
            { name: 'n', datatype: 'FP64', shape: [numbers.length], data: numbers },
            { name: 't', datatype: 'BYTES', shape: [texts.length], data: texts },
          ],
        });
        expect(decodeFrames(encodeFrames([record], 0)).frames[0]?.record).toEqual(record);
      },
    ),
    { numRuns: 50 },
  );
});

test('a segment cut anywhere in its last frame gives the frames before it', () => {
  const whole = encodeFrames([aRecord(), aRecord()], 0);
  const first = encodeFrames([aRecord()], 0).length;
  for (let length = first; length < whole.length; length += 1) {
    const { frames, readBytes, stopped } = decodeFrames(whole.subarray(0, length));
    expect([frames.length, readBytes, stopped]).toEqual([1, first, length === first ? 'end' : 'cut']);
  }
});

test('a changed byte of the content is found', () => {
  const bytes = encodeFrames([aRecord()], 0);
  for (let at = 4; at < bytes.length; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged.writeUInt8((damaged[at] ?? 0) ^ 0x10, at);
    expect(probeFrame(damaged, 0, true).state).toBe('bad');
  }
});
