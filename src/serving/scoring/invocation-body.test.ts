import { expect, test } from 'vitest';
import type { ModelSignature, TensorSignature } from '#contracts/tensor';
import { readInvocation } from './invocation-body.ts';

const column = (name: string, more: Partial<TensorSignature> = {}): TensorSignature => ({
  name,
  datatype: 'FP64',
  shape: [-1, 1],
  ...more,
});
const signature: ModelSignature = {
  inputs: [column('age'), column('ago'), column('more', { optional: true, nullable: true })],
  outputs: [],
};
const refusal = (body: unknown): string => {
  try {
    readInvocation(Buffer.from(JSON.stringify(body)), signature);
  } catch (error) {
    return String(error);
  }
  return '';
};

test('a column that is missing is told with a slip for it, never with another that the model takes; nor are those that may be absent', () => {
  expect(refusal({ dataframe_split: { columns: ['ago', 'agee'], data: [[1, 2]] } })).toMatch(
    /column "age" is missing; "agee" is there, did you mean that\?$/,
  );
  expect(refusal({ dataframe_split: { columns: ['ago'], data: [[1]] } })).toMatch(/column "age" is missing$/);
  expect(refusal({ dataframe_records: [{ ago: 1 }] })).toMatch(/column "age" is missing$/);
  expect(refusal({ dataframe_records: [{ more: 1 }] })).toMatch(/column "age" is missing, and 1 more$/);
});
