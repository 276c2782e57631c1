import { expect, test } from 'vitest';
import { decodeUrlText, trimSlashes } from './url-text.ts';

test('slashes at the end go, those before stay', () => {
  for (const [given, left] of [
    ['', ''],
    ['///', ''],
    ['a', 'a'],
    ['/a//b//', '/a//b'],
    ['a/ /', 'a/ '],
  ] as const)
    expect(trimSlashes(given)).toBe(left);
});

test('a part of a URL that cannot be decoded stands for nothing', () => {
  expect(decodeUrlText('a%20b')).toBe('a b');
  expect(decodeUrlText('%zz')).toBeUndefined();
});
