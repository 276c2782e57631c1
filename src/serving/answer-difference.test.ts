import { expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { differenceOf } from './answer-difference.ts';

const floats = (name: string, shape: number[], ...values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const labels = (...data: string[]): Tensor => ({ name: 'label', datatype: 'BYTES', shape: [data.length], data });

test('rows that differ in any output are counted once, with the greatest distance of two numbers', () => {
  const primary = [floats('p', [3, 2], 1, 0, 0.5, 0.5, 0.25, 0.75), labels('a', 'b', 'c')];
  const other = [floats('p', [3, 2], 1, 0, 0.25, 0.75, 0.25, 0.75), labels('a', 'c', 'd')];
  expect(differenceOf(primary, other, 3)).toEqual({ rows: 2, maxAbs: 0.25 });
  expect(differenceOf(primary, primary, 3)).toEqual({ rows: 0, maxAbs: 0 });
});

test('what rounding makes, and NaN on both sides, is no difference; NaN on one side is one without a distance', () => {
  expect(differenceOf([floats('p', [2], 1, Number.NaN)], [floats('p', [2], 1 + 2e-7, Number.NaN)], 2)).toEqual({
    rows: 0,
    maxAbs: 0,
  });
  expect(differenceOf([floats('p', [1], 1)], [floats('p', [1], Number.NaN)], 1)).toEqual({ rows: 1, maxAbs: 0 });
});

test('answers without a common output cannot be compared', () => {
  expect(differenceOf([floats('p', [1], 1)], [floats('q', [1], 1)], 1)).toBeUndefined();
  expect(differenceOf([floats('p', [1], 1)], [floats('p', [1, 2], 1, 2)], 1)).toBeUndefined();
});
