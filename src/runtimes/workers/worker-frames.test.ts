import { expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import {
  createFrameReader,
  decodeTensors,
  encodeFrame,
  encodePredict,
  type Frame,
  frameKinds,
} from './worker-frames.ts';

const tensors: readonly Tensor[] = [
  { name: 'carrier', datatype: 'BYTES', shape: [3], data: ['UA', '', 'Zürich ✈'] },
  { name: 'flag', datatype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
  { name: 'flight', datatype: 'INT64', shape: [3, 1], data: BigInt64Array.of(2n ** 62n + 1n, -5n, 0n) },
  { name: 'none', datatype: 'FP32', shape: [0, 4], data: new Float32Array() },
  { name: 'odd', datatype: 'FP64', shape: [2], data: Float64Array.of(Number.NaN, -0) },
];

/** A request says of its inputs what an answer says of its outputs. */
function asAnswer({ header, ...frame }: Frame): Frame {
  const { inputs } = JSON.parse(header) as { inputs: unknown };
  return { ...frame, header: JSON.stringify({ outputs: inputs }) };
}

function read(...chunks: readonly Buffer[]): readonly Frame[] {
  const frames: Frame[] = [];
  const take = createFrameReader((frame) => frames.push(frame));
  for (const chunk of chunks) take(chunk);
  return frames;
}

test('tensors come out of a frame as they went in, however the bytes are cut', () => {
  const bytes = Buffer.concat([
    encodeFrame(frameKinds.load, 0, { protocol: 1 }),
    encodePredict(7, tensors, ['a'], { temperature: 0.5 }),
    encodePredict(0xffff_ffff, tensors.slice(0, 1), [], undefined),
  ]);
  const whole = read(bytes);
  expect(whole.map(({ kind, id }) => [kind, id])).toEqual([
    [frameKinds.load, 0],
    [frameKinds.predict, 7],
    [frameKinds.predict, 0xffff_ffff],
  ]);
  expect(JSON.parse(whole[1]?.header ?? '')).toMatchObject({ outputs: ['a'], parameters: { temperature: 0.5 } });
  for (const size of [1, 3, 17, 64]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    const [, request, last] = read(...chunks);
    expect(request && decodeTensors(asAnswer(request))).toEqual(tensors);
    expect(last && decodeTensors(asAnswer(last))).toEqual(tensors.slice(0, 1));
  }
});

test('what is no frame of this protocol is refused with a reason', () => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(3);
  expect(() => read(length)).toThrow('a frame of 3 bytes is none of this protocol');
  length.writeUInt32LE(0xffff_ffff);
  expect(() => read(length)).toThrow('a frame of 4294967295 bytes is none of this protocol');
  const long = encodeFrame(frameKinds.loaded, 0, {});
  long.writeUInt32LE(4_096, 12);
  expect(() => read(long)).toThrow('a header of 4096 bytes does not fit its frame');
});

test.each([
  ['a shape that holds more than the frame', { name: 'x', datatype: 'FP32', shape: [1_000] }, 'ends behind its frame'],
  ['a negative dimension', { name: 'x', datatype: 'FP32', shape: [-1] }, 'is said to be FP32 of shape [-1]'],
  ['a shape beyond all memory', { name: 'x', datatype: 'INT8', shape: [2 ** 40, 2 ** 40] }, 'is said to be INT8'],
  ['a datatype that is none', { name: 'x', datatype: 'COMPLEX', shape: [1] }, 'is said to be COMPLEX'],
  ['fewer texts than the shape holds', { name: 'x', datatype: 'BYTES', shape: [9], sizeBytes: 0 }, 'has 0 texts'],
])('an answer with %s is refused', (_name, output, reason) => {
  const [frame] = read(encodeFrame(frameKinds.predicted, 1, { outputs: [output] }));
  expect(() => frame && decodeTensors(frame)).toThrow(reason);
});
