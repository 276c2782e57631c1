import { expect, test } from 'vitest';
import { createRateLimit } from './rate-limit.ts';

test('a caller may send a burst, then as many as the rate fills up, and others are not held back by it', () => {
  const limit = createRateLimit(() => ({ perSecond: 10, burst: 3 }));
  const allowed = (principal: string, nowMs: number) => {
    try {
      limit.take(principal, nowMs);
      return true;
    } catch {
      return false;
    }
  };
  expect([0, 0, 0, 0].map((at) => allowed('a', at))).toEqual([true, true, true, false]);
  expect(() => limit.take('a', 0)).toThrow(
    expect.objectContaining({ code: 'RATE_LIMITED', kind: 'rate_limited', details: { retryAfterMs: 100 } }),
  );
  expect(allowed('b', 0)).toBe(true);
  expect([100, 100].map((at) => allowed('a', at))).toEqual([true, false]);
  expect([10_000, 10_000, 10_000, 10_000].map((at) => allowed('a', at))).toEqual([true, true, true, false]);
  expect(limit.refused).toBe(4);
});

test('without a limit nothing is counted', () => {
  const limit = createRateLimit(() => undefined);
  for (let at = 0; at < 100; at += 1) limit.take('a', 0);
  expect(limit.refused).toBe(0);
});
