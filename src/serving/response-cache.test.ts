import { expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { cacheKey, createResponseCache } from './response-cache.ts';

const floats = (...values: number[]): readonly Tensor[] => [
  { name: 'x', datatype: 'FP32', shape: [values.length], data: Float32Array.from(values) },
];
const texts = (...values: string[]): readonly Tensor[] => [
  { name: 'x', datatype: 'BYTES', shape: [values.length], data: values },
];

test('a key is of the revision, the shapes, every byte and the parameters', () => {
  const [x] = floats(1, 2);
  const keys = [
    cacheKey('r1', floats(1, 2), undefined),
    cacheKey('r2', floats(1, 2), undefined),
    cacheKey('r1', floats(1, 3), undefined),
    cacheKey('r1', floats(1, 2), { temperature: 1 }),
    cacheKey('r1', floats(1, 2), { temperature: 1n }),
    cacheKey('r1', x === undefined ? [] : [{ ...x, shape: [2, 1] }], undefined),
    cacheKey('r1', texts('ab', 'c'), undefined),
    cacheKey('r1', texts('a', 'bc'), undefined),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(cacheKey('r1', floats(1, 2), undefined)).toBe(keys[0]);
});

test('it keeps within its bytes, and the longest unused goes first', () => {
  const limit = 3 * 504;
  const cache = createResponseCache(() => limit);
  for (const key of ['a', 'b', 'c']) cache.keep(key, floats(1));
  expect(cache.bytes).toBe(limit);
  cache.find('a');
  cache.keep('d', floats(4));
  expect(['a', 'b', 'c', 'd'].map((key) => cache.find(key) !== undefined)).toEqual([true, false, true, true]);
  cache.keep('large', floats(...Array.from({ length: 1_000 }, () => 1)));
  expect([cache.find('large'), cache.bytes]).toEqual([undefined, limit]);
});

test('what is kept does not hold the memory of the batch that it came from', () => {
  const cache = createResponseCache(() => 10_000);
  const batch = new Float32Array(1_000_000);
  batch[7] = 7;
  cache.keep('k', [{ name: 'x', datatype: 'FP32', shape: [1], data: batch.subarray(7, 8) }]);
  const data = cache.find('k')?.[0]?.data as Float32Array;
  expect([data[0], data.buffer.byteLength]).toEqual([7, 4]);
});
