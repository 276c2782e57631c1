import { expect, test } from 'vitest';
import { isModelTarget, parseModelTarget } from './model-target.ts';

test.each([
  ['model:late@champion', 'late', 'champion'],
  ['model:late@4', 'late', '4'],
  ['model:late arrival@4', 'late arrival', '4'],
  ['models:/late@champion', 'late', 'champion'],
  ['models:/late/4', 'late', '4'],
  ['models:/late/latest', 'late', 'latest'],
])('%s names a version', (text, name, at) => {
  expect(isModelTarget(text)).toBe(true);
  expect(parseModelTarget(text)).toEqual({ name, at });
});

test.each(['model:late', 'models:/late', 'models:late', 'model:', 'models:/a/b/c'])(
  '%s is refused in words',
  (text) => {
    expect(() => parseModelTarget(text)).toThrow('names no version of a model: write model:<name>@<alias or number>');
  },
);

test('all else is a path', () => {
  expect(['models', './models:', 'model.onnx', 'C:/models'].map(isModelTarget)).toEqual([false, false, false, false]);
});
