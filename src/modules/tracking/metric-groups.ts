import { encodeValue } from './metric-value.ts';
import type { Metric } from './tracking-types.ts';

/** Points of one instant, as a client logs them together: what they have in common is said once. */
export interface PointGroup {
  readonly timestampMs: number;
  readonly step: number;
  readonly special: number;
  readonly size: number;
  /** An object: the stored number of each key. */
  readonly valuesJson: string;
}

interface Gathering {
  readonly timestampMs: number;
  readonly step: number;
  readonly special: number;
  readonly values: Map<string, number>;
}

/** Every point in one group, exact duplicates once; a key with two values at one instant makes a second group. */
export function groupPoints(metrics: readonly Metric[]): PointGroup[] {
  const groups: Gathering[] = [];
  const byInstant = new Map<string, readonly Gathering[]>();
  for (const { key, timestampMs, step, value } of metrics) {
    const [stored, special] = encodeValue(value);
    const instant = `${timestampMs} ${step} ${special}`;
    const alike = byInstant.get(instant) ?? [];
    const group = alike.find(({ values }) => (values.get(key) ?? stored) === stored);
    if (group === undefined) {
      const made = { timestampMs, step, special, values: new Map([[key, stored]]) };
      groups.push(made);
      byInstant.set(instant, [...alike, made]);
    } else group.values.set(key, stored);
  }
  return groups.map(({ values, ...common }) => ({
    ...common,
    size: values.size,
    valuesJson: JSON.stringify(Object.fromEntries(values)),
  }));
}
