import type { MetricNumber } from '#contracts/transfer';

/** A number of a metric as it travels: JSON has no words for some. */
export function toMetricNumber(value: number): MetricNumber {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}
