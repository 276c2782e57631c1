import { type Estimate, meanEstimate } from './intervals.ts';
import { type Moments, mergeMoments, momentsOf } from './moments.ts';

/** Mergeable sums behind the regression metrics, of prediction - truth in the target's unit. */
export interface RegressionMoments {
  readonly error: Moments;
  readonly absoluteError: Moments;
  readonly squaredError: Moments;
  readonly truth: Moments;
}

/** Metrics in the target's unit (`r2` has none). */
export interface RegressionMetrics {
  readonly n: number;
  /** Mean of prediction - truth: above zero the model says too much. */
  readonly bias: Estimate;
  readonly mae: Estimate;
  /** Interval: the square roots of the bounds of the mean squared error, from 0. */
  readonly rmse: Estimate;
  /** Undefined when the truth is constant: there is no variance to explain. */
  readonly r2?: number;
}

/** Sums over pairs of the same length, all finite. Throws a RangeError otherwise. */
export function regressionMoments(truth: ArrayLike<number>, predicted: ArrayLike<number>): RegressionMoments {
  if (truth.length !== predicted.length) {
    throw new RangeError(`truth has ${truth.length} values and predictions ${predicted.length}; they must pair up`);
  }
  const error = Float64Array.from(truth, (value, index) => (predicted[index] as number) - value);
  const bad = error.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new RangeError(`row ${bad} is not finite; leave such rows out and count them`);
  return {
    error: momentsOf(error),
    absoluteError: momentsOf(error.map(Math.abs)),
    squaredError: momentsOf(error.map((value) => value * value)),
    truth: momentsOf(truth),
  };
}

export function mergeRegressionMoments(a: RegressionMoments, b: RegressionMoments): RegressionMoments {
  return {
    error: mergeMoments(a.error, b.error),
    absoluteError: mergeMoments(a.absoluteError, b.absoluteError),
    squaredError: mergeMoments(a.squaredError, b.squaredError),
    truth: mergeMoments(a.truth, b.truth),
  };
}

/** MAE, RMSE, bias and R2 with Student intervals of the means; undefined for no rows. */
export function regressionMetrics(moments: RegressionMoments, confidence: number): RegressionMetrics | undefined {
  const bias = meanEstimate(moments.error, confidence);
  const mae = meanEstimate(moments.absoluteError, confidence);
  const mse = meanEstimate(moments.squaredError, confidence);
  if (bias === undefined || mae === undefined || mse === undefined) return undefined;
  const { n } = moments.error;
  const rmse: Estimate = {
    value: Math.sqrt(mse.value),
    n,
    ...(mse.interval && {
      interval: {
        lower: Math.sqrt(Math.max(0, mse.interval.lower)),
        upper: Math.sqrt(mse.interval.upper),
        confidence,
      },
    }),
  };
  const unexplained = mse.value * n;
  return { n, bias, mae, rmse, ...(moments.truth.squares > 0 && { r2: 1 - unexplained / moments.truth.squares }) };
}
