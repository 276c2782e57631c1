import { expect, test } from 'vitest';
import { createRandom, createRandomFromState } from './random.ts';

// Reference: an implementation in Python integers of the published C code.
test('xoshiro128** gives the published sequence', () => {
  const random = createRandomFromState([1, 2, 3, 4]);
  expect(Array.from({ length: 6 }, random.nextUint32)).toEqual([
    11_520, 0, 5_927_040, 70_819_200, 2_031_721_883, 1_637_235_492,
  ]);
});

test('a seed fixes the numbers, and every bit of it counts', () => {
  expect(Array.from({ length: 4 }, createRandom(42).nextUint32)).toEqual([
    2_837_322_924, 544_945_897, 479_756_282, 3_500_138_142,
  ]);
  expect(Array.from({ length: 2 }, createRandom(42).nextFloat)).toEqual([0.6606157208001621, 0.1117019639532224]);
  expect(createRandom(2 ** 40 + 7).nextUint32()).toBe(3_221_471_587);
  expect(createRandom(7).nextUint32()).not.toBe(createRandom(2 ** 40 + 7).nextUint32());
  expect(createRandom(0).nextUint32()).not.toBe(0);
  expect(() => createRandom(0.5)).toThrow(RangeError);
});

test('integers below a bound are all about equally frequent', () => {
  const random = createRandom(1);
  const counts = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 70_000; i += 1) {
    const value = random.nextInteger(7);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  expect(() => random.nextInteger(0)).toThrow(RangeError);
});
