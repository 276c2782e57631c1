import { expect, test } from 'vitest';
import type { CheckResult } from '#contracts/datasets';
import { whyNotLanded } from './why-not-landed.ts';

const check: CheckResult = { check: 'a min 2', level: 'block', passed: false, failing: 0, rows: [] };

test('a landing that made no version says the error, or which rows break which check', () => {
  expect(whyNotLanded({ error: { code: 'X', message: 'the file is empty' }, checks: [] })).toBe('the file is empty');
  const row = { file: 'data/2.csv', row: 1, a: 1, b: null };
  expect(
    whyNotLanded({
      checks: [
        { ...check, failing: 2, rows: [row] },
        { ...check, passed: true },
        { ...check, check: 'zz is not null', failing: 3, reason: 'there is no column "zz"' },
      ],
    }),
  ).toBe(
    'a min 2: 2 rows, the first in data/2.csv, row 1 (0 is the first): {"a":1,"b":null}; zz is not null: there is no column "zz"',
  );
  const long = whyNotLanded({ checks: [{ ...check, failing: 1, rows: [{ ...row, text: 'x'.repeat(1000) }] }] });
  expect(long).toMatch(/^a min 2: 1 row, .*x…$/);
});
