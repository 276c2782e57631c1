import { expect, test } from 'vitest';
import { parseByteRange } from './byte-range.ts';

test('a range is read as RFC 9110 writes it', () => {
  expect(parseByteRange('bytes=0-9', 100)).toEqual({ start: 0, end: 10 });
  expect(parseByteRange('bytes=90-', 100)).toEqual({ start: 90, end: 100 });
  expect(parseByteRange('bytes=90-500', 100)).toEqual({ start: 90, end: 100 });
  expect(parseByteRange('bytes=-10', 100)).toEqual({ start: 90, end: 100 });
  expect(parseByteRange('bytes=-500', 100)).toEqual({ start: 0, end: 100 });
});

test('a range outside the bytes cannot be satisfied', () => {
  expect(parseByteRange('bytes=100-', 100)).toBe('unsatisfiable');
  expect(parseByteRange('bytes=-0', 100)).toBe('unsatisfiable');
  expect(parseByteRange('bytes=0-', 0)).toBe('unsatisfiable');
});

test('what is not one range of bytes asks for everything', () => {
  for (const header of [undefined, 'items=0-1', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4'])
    expect(parseByteRange(header, 100)).toBeUndefined();
});
