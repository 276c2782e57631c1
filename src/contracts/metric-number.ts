import { type Static, Type } from 'typebox';

/** A number of a metric as it travels; NaN and the infinities, for which JSON has no words, as texts. */
export const MetricNumber = Type.Union([Type.Number(), Type.Enum(['NaN', 'Infinity', '-Infinity'])]);
export type MetricNumber = Static<typeof MetricNumber>;

export function toMetricNumber(value: number): MetricNumber {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}
