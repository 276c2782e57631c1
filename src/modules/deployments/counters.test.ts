import { expect, test } from 'vitest';
import { latencyBoundsUs } from '#contracts/latency-bounds';
import {
  addCounters,
  answersOf,
  type Counters,
  failuresOf,
  judgedRequestsOf,
  latencyQuantileUs,
  noCounters,
  subtractCounters,
} from './counters.ts';

const one: Counters = {
  requests: 12,
  rows: 20,
  errors: { invalid: 3, timeout: 1 },
  latencyCounts: [0, 4, 4],
  latencySumUs: 3000,
  maxEventTimeMs: 70,
};

test('sums over replicas and starts keep the greatest event time', () => {
  const sum = addCounters(one, { ...one, errors: { internal: 2 }, maxEventTimeMs: 50 });
  expect(sum).toEqual({
    requests: 24,
    rows: 40,
    errors: { invalid: 3, timeout: 1, internal: 2 },
    latencyCounts: [0, 8, 8],
    latencySumUs: 6000,
    maxEventTimeMs: 70,
  });
  expect(subtractCounters(sum, one).requests).toBe(12);
  expect(addCounters(noCounters, one)).toEqual(one);
});

test('errors of callers and of the spool are not those of a revision', () => {
  expect(failuresOf({ ...one, errors: { ...one.errors, unrecorded: 5 } })).toBe(1);
  expect([answersOf(one), failuresOf(one), judgedRequestsOf(one)]).toEqual([8, 1, 9]);
});

test('a quantile lies inside its bucket', () => {
  expect(latencyQuantileUs(one, 0.5)).toBe(250);
  expect(latencyQuantileUs(one, 0.75)).toBe(375);
  expect(latencyQuantileUs(noCounters, 0.5)).toBeUndefined();
  const beyond = { ...noCounters, latencyCounts: [...latencyBoundsUs.map(() => 0), 5] };
  expect(latencyQuantileUs(beyond, 0.99)).toBe(latencyBoundsUs.at(-1));
});
