import { expect, test } from 'vitest';
import { parseRolloutCondition } from './rollout-condition.ts';

test('comparisons are read with their units', () => {
  expect(parseRolloutCondition('error_rate > 1% or latency_p99 >= 0.25s || latency_mean > 900us')).toEqual({
    comparisons: [
      { metric: 'error_rate', operator: '>', threshold: 0.01, text: 'error_rate > 1%' },
      { metric: 'latency_p99', operator: '>=', threshold: 250_000, text: 'latency_p99 >= 0.25s' },
      { metric: 'latency_mean', operator: '>', threshold: 900, text: 'latency_mean > 900us' },
    ],
  });
});

test.each([
  ['error_rate', '"error_rate" is no comparison'],
  ['eror_rate > 0.1', 'there is no metric "eror_rate"'],
  ['latency_p99 > 250', '"latency_p99 > 250": write the latency\'s unit, us, ms or s'],
  ['error_rate > 5ms', '"error_rate > 5ms": an error rate has no unit'],
  ['', '"" is no comparison'],
  ['error_rate > 0.1 and latency_p99 > 1s', '"error_rate > 0.1 and latency_p99 > 1s" is no comparison'],
])('%s: %s', (text, problem) => {
  expect(parseRolloutCondition(text)).toEqual({ problem });
});
