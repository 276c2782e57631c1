import { expect, test } from 'vitest';
import { openAlert } from './report.ts';

test('an alert that stays open says since when', () => {
  const evidence = { since: '2013-03-02T00:00:00.000Z' };
  expect(openAlert({ kind: 'drift', evidence })).toBe('drift since 03-02');
  expect(openAlert({ kind: 'performance', evidence: { windowId: 'w' } })).toBe('performance');
  expect(openAlert({ kind: 'consumer', evidence: null })).toBe('consumer');
});
