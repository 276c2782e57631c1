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
  let last: Gathering | undefined;
  for (const { key, timestampMs, step, value } of metrics) {
    const [stored, special] = encodeValue(value);
    const hasRoom = ({ values }: Gathering) => (values.get(key) ?? stored) === stored;
    // Nearly always the next point is of the same instant.
    if (last?.timestampMs !== timestampMs || last.step !== step || last.special !== special || !hasRoom(last)) {
      const instant = `${timestampMs} ${step} ${special}`;
      const alike = byInstant.get(instant) ?? [];
      last = alike.find(hasRoom);
      if (last === undefined) {
        last = { timestampMs, step, special, values: new Map() };
        groups.push(last);
        byInstant.set(instant, [...alike, last]);
      }
    }
    last.values.set(key, stored);
  }
  return groups.map(({ values, ...common }) => ({
    ...common,
    size: values.size,
    valuesJson: toJson(values),
  }));
}

/** Written out by hand: an object of a hundred names made for each call costs four times as much. */
function toJson(values: ReadonlyMap<string, number>): string {
  let text = '{';
  for (const [key, value] of values) text += `${text.length > 1 ? ',' : ''}${JSON.stringify(key)}:${value}`;
  return `${text}}`;
}
