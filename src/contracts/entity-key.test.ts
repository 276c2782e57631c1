import { expect, test } from 'vitest';
import { encodeKey } from './entity-key.ts';

test('a key of one value is its text', () => {
  expect([encodeKey(['N14228']), encodeKey([1545]), encodeKey([2n ** 60n]), encodeKey([true])]).toEqual([
    'N14228',
    '1545',
    '1152921504606846976',
    'true',
  ]);
});

test('a composite key is the JSON list of its values, instants in UTC however they were written', () => {
  const expected = '["UA",1545,"EWR","2013-01-01T10:00:00Z"]';
  expect(encodeKey(['UA', 1545, 'EWR', new Date('2013-01-01T10:00:00Z')])).toBe(expected);
  expect(encodeKey(['UA', 1545, 'EWR', '2013-01-01T05:00:00.000-05:00'])).toBe(expected);
  expect(encodeKey(['a"b', '2013-01-01T10:00:00.120Z', '2013-01-01'])).toBe(
    '["a\\"b","2013-01-01T10:00:00.120Z","2013-01-01"]',
  );
});
