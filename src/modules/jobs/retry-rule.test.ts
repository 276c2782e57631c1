import { describe, expect, test } from 'vitest';
import { retryDelayMs } from './retry-rule.ts';

describe('another attempt', () => {
  const retries = { max: 2, on: ['error'], backoffMs: 100 } as const;

  test('follows with doubling delays until the attempts are used up', () => {
    expect([1, 2, 3].map((attempt) => retryDelayMs({ attempt, retries }, 'failed'))).toEqual([100, 200, undefined]);
  });

  test('follows only the causes that were asked for', () => {
    expect(retryDelayMs({ attempt: 1, retries }, 'timed-out')).toBeUndefined();
    expect(retryDelayMs({ attempt: 1, retries: undefined }, 'failed')).toBeUndefined();
    expect(retryDelayMs({ attempt: 1, retries }, 'cancelled')).toBeUndefined();
    expect(retryDelayMs({ attempt: 1, retries }, 'succeeded')).toBeUndefined();
  });

  test('follows a lost one a few times without being asked for, the first time at once', () => {
    expect([1, 2, 3, 4, 5].map((attempt) => retryDelayMs({ attempt, retries: undefined }, 'lost'))).toEqual([
      0,
      2000,
      4000,
      8000,
      undefined,
    ]);
  });
});
