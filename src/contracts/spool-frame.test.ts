import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PredictionEnvelope, type PredictionRecord } from './prediction-record.ts';
import { encodeFrames, probeFrame } from './spool-frame.ts';
import { decodeFrames } from './spool-frame-reader.ts';

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

/** CRC-32 of RFC 1952, bit by bit. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('the checksum is the CRC-32 of what follows it', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926); // the check value of its specification
  const frame = encodeFrames([aRecord()], 0);
  expect(frame.readUInt32LE(4)).toBe(crc32(frame.subarray(8)));
});

test('every field of an envelope survives, alone and beside all others', () => {
  const all = aRecord({
    role: 'shadow',
    reason: 'shadow',
    shadowOf: 'p',
    status: 'error',
    error: 'no "x"',
    traceparent: '00-ab-cd-01',
    subject: ['a', null],
    branches: { tier: ['big', '', 'small'] },
    cached: true,
    redacted: ['z'],
    stagesUs: { input: 1, queue: 2, infer: 3, output: 4 },
    difference: { rows: 1, maxAbs: 0.5 },
  });
  const { inputs: _inputs, outputs: _outputs, ...envelope } = all;
  expect(Object.keys(envelope).toSorted()).toEqual(Object.keys(PredictionEnvelope.properties).toSorted());
  const bare = aRecord({ requestId: aRecord().predictionId, keys: [], eventTimesMs: [] });
  const records = [all, bare, ...Object.entries(envelope).map(([field, value]) => ({ ...bare, [field]: value }))];
  expect(decodeFrames(encodeFrames(records, 0)).frames.map(({ record }) => record)).toEqual(records);
});

const dataOf = (source: Uint8Array) => decodeFrames(source).frames.map(({ record }) => record.inputs[0]?.data);

test('tensors lie in the delivery, not in copies, when it begins at a multiple of 8', () => {
  const bytes = encodeFrames([aRecord(), aRecord()], 0);
  const aligned = new Uint8Array(new ArrayBuffer(bytes.length));
  aligned.set(bytes);
  const shifted = new Uint8Array(new ArrayBuffer(bytes.length + 1), 1);
  shifted.set(bytes);
  for (const data of dataOf(aligned)) expect((data as Float32Array).buffer).toBe(aligned.buffer);
  expect(dataOf(shifted)).toEqual(dataOf(aligned));
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
            { name: 'w', datatype: 'FP64', shape: [1, 2], data: Float64Array.of(1, 2), withheld: [1] },
            { name: 'r', datatype: 'BYTES', shape: [2], data: [Uint8Array.of(0xff, shift), '\uFFFD'] },
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
