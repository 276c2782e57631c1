import type { PredictionEnvelope } from '#contracts/prediction-record';
import { type BytesElement, rowsOf, type Tensor } from '#contracts/tensor';

/** Numbers nearer than this, relative to the greater one, are the same: two runs of one model may round apart. */
const tolerance = 1e-6;

/** How two answers to the same rows differ, in the outputs that both have; undefined when none can be compared. */
export function differenceOf(
  primary: readonly Tensor[],
  other: readonly Tensor[],
  rows: number,
): PredictionEnvelope['difference'] {
  const differing = new Uint8Array(rows);
  let maxAbs = 0;
  let compared = false;
  for (const a of primary) {
    const b = other.find(({ name }) => name === a.name);
    if (b === undefined || rowsOf(a) !== rows || b.data.length !== a.data.length || rows === 0) continue;
    compared = true;
    const width = a.data.length / rows;
    for (let at = 0; at < a.data.length; at += 1) {
      const distance = distanceOf(a.data[at], b.data[at]);
      if (distance === 0) continue;
      differing[Math.floor(at / width)] = 1;
      if (distance > maxAbs && Number.isFinite(distance)) maxAbs = distance;
    }
  }
  return compared ? { rows: differing.reduce((sum, one) => sum + one, 0), maxAbs } : undefined;
}

type Value = BytesElement | number | bigint | undefined;

const isElement = (value: Value): value is BytesElement => typeof value === 'string' || value instanceof Uint8Array;

/** 0 when they are the same; infinite when they have no distance. */
function distanceOf(a: Value, b: Value): number {
  if (a === b) return 0;
  if (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0) return 0;
  if (isElement(a) || isElement(b)) return Number.POSITIVE_INFINITY;
  const x = Number(a);
  const y = Number(b);
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) && Number.isNaN(y) ? 0 : Number.POSITIVE_INFINITY;
  const distance = Math.abs(x - y);
  return typeof a === 'number' && distance <= tolerance * Math.max(Math.abs(x), Math.abs(y)) ? 0 : distance;
}
