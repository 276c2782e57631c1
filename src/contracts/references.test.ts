import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatReference, parseReference, readReference } from './references.ts';

test('a name of our own stands in a reference as it is', () => {
  expect(formatReference('model', 'late-arrival', 4)).toBe('model:late-arrival@4');
  expect(parseReference('model:late-arrival@champion')).toEqual({
    kind: 'model',
    name: 'late-arrival',
    at: 'champion',
  });
  expect(parseReference('pipeline-step:a-b/train[3]')).toMatchObject({ name: 'a-b/train[3]', at: undefined });
  expect(parseReference('alert:late/performance')).toMatchObject({ name: 'late/performance' });
  for (const none of [
    '',
    'model',
    'model:',
    'model:@1',
    'model: x',
    'model:x@',
    'nothing:x',
    'model:%zz',
    'model:x@%F',
  ])
    expect([none, parseReference(none)]).toEqual([none, undefined]);
});

test('signs of a foreign name are encoded, letters of any script are not', () => {
  expect(formatReference('dataset', 'train set', '9f86')).toBe('dataset:train%20set@9f86');
  expect(formatReference('dataset', 's3://bucket/a@b?c')).toBe('dataset:s3%3A//bucket/a%40b%3Fc');
  expect(formatReference('model', 'Vögel/鳥')).toBe('model:Vögel/鳥');
  expect(formatReference('dataset', '_private', '-1')).toBe('dataset:%5Fprivate@%2D1');
  expect(formatReference('dataset', 'x', '')).toBe('dataset:x');
});

test('any name and version come back as they were', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(text, fc.option(text, { nil: undefined }), (name, at) => {
      const reference = formatReference('dataset', name, at);
      expect(parseReference(reference)).toEqual({ kind: 'dataset', name, at });
      expect(reference).not.toMatch(/[\s"'<>?#&]/);
    }),
  );
  expect(parseReference(formatReference('dataset', 'broken \ud800'))?.name).toBe('broken \ufffd');
});

test('people may type a name as it is', () => {
  expect(readReference('dataset:train set@9f86')).toEqual({ kind: 'dataset', name: 'train set', at: '9f86' });
  expect(readReference('dataset:a@b c@1')).toEqual({ kind: 'dataset', name: 'a@b c', at: '1' });
  expect(readReference('dataset:train%20set')).toMatchObject({ name: 'train set' });
  expect(readReference('100 %')).toBeUndefined();
  expect(readReference('thing:x')).toBeUndefined();
});
