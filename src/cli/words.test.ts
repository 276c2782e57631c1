import { expect, test } from 'vitest';
import { bytesText, plural } from './words.ts';

test('counts and sizes as people say them', () => {
  expect([plural(1, 'experiment'), plural(0, 'run'), plural(1200, 'point')]).toEqual([
    '1 experiment',
    '0 runs',
    '1,200 points',
  ]);
  expect([0, 999, 48_100, 3_000_000].map(bytesText)).toEqual(['0 B', '999 B', '48.1 KB', '3.0 MB']);
});
