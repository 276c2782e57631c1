import { expect, test } from 'vitest';
import { createRandom } from './random.ts';
import { mergeRegressionMoments, regressionMetrics, regressionMoments } from './regression.ts';

function sample() {
  const random = createRandom(11);
  const truth: number[] = [];
  const predicted: number[] = [];
  for (let i = 0; i < 50; i += 1) {
    const value = random.nextFloat() * 10;
    truth.push(value);
    predicted.push(value + random.nextFloat() * 3 - 1);
  }
  return { truth, predicted };
}

test('MAE, RMSE, R2 and their intervals agree with scikit-learn 1.9.1 and scipy 1.17.1', () => {
  const { truth, predicted } = sample();
  const metrics = regressionMetrics(regressionMoments(truth, predicted), 0.95);
  expect(metrics?.mae.value).toBeCloseTo(0.8173561804736156, 12);
  expect(metrics?.mae.interval?.lower).toBeCloseTo(0.6428793976317619, 10);
  expect(metrics?.mae.interval?.upper).toBeCloseTo(0.9918329633154692, 10);
  expect(metrics?.rmse.value).toBeCloseTo(1.0185490435224835, 12);
  expect(metrics?.rmse.interval?.lower).toBeCloseTo(0.8222938596931247, 10);
  expect(metrics?.rmse.interval?.upper).toBeCloseTo(1.1826737151184665, 10);
  expect(metrics?.r2).toBeCloseTo(0.8877313468930872, 12);
  expect(metrics?.bias.value).toBeCloseTo(0.43497685451720747, 12);
});

test('sums of parts merge to the sums of the whole', () => {
  const { truth, predicted } = sample();
  const merged = mergeRegressionMoments(
    regressionMoments(truth.slice(0, 20), predicted.slice(0, 20)),
    regressionMoments(truth.slice(20), predicted.slice(20)),
  );
  const whole = regressionMetrics(regressionMoments(truth, predicted), 0.9);
  const parts = regressionMetrics(merged, 0.9);
  expect(parts?.r2).toBeCloseTo(whole?.r2 ?? Number.NaN, 12);
  expect(parts?.mae.interval?.upper).toBeCloseTo(whole?.mae.interval?.upper ?? Number.NaN, 12);
});

test('a constant truth has no R2, one row no interval, and no rows no metrics', () => {
  expect(regressionMetrics(regressionMoments([2, 2], [1, 2]), 0.9)).not.toHaveProperty('r2');
  expect(regressionMetrics(regressionMoments([2], [1]), 0.9)?.mae).toEqual({ value: 1, n: 1 });
  expect(regressionMetrics(regressionMoments([], []), 0.9)).toBeUndefined();
  expect(() => regressionMoments([1], [Number.NaN])).toThrow('row 0 is not finite');
  expect(() => regressionMoments([1], [])).toThrow('must pair up');
});
