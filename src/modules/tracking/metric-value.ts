/** How a point's number is stored: finite always, what it really is in `special`. */
export const special = { none: 0, nan: 1, plusInfinity: 2, minusInfinity: 3 } as const;

/** NaN counts as 0, infinities as the greatest and least number: so points can be compared in SQL. */
export function encodeValue(value: number): readonly [value: number, special: number] {
  if (Number.isNaN(value)) return [0, special.nan];
  if (value === Number.POSITIVE_INFINITY) return [Number.MAX_VALUE, special.plusInfinity];
  if (value === Number.NEGATIVE_INFINITY) return [-Number.MAX_VALUE, special.minusInfinity];
  return [value, special.none];
}

export function decodeValue(value: number, kind: number): number {
  if (kind === special.nan) return Number.NaN;
  if (kind === special.plusInfinity) return Number.POSITIVE_INFINITY;
  if (kind === special.minusInfinity) return Number.NEGATIVE_INFINITY;
  return value;
}

interface Point {
  readonly step: number;
  readonly timestampMs: number;
  readonly value: number;
}

const comparable = (value: number) => encodeValue(value)[0];

/** True when `a` is the later point: by step, then time, then value, whatever order they arrived in. */
function isLater(a: Point, b: Point): boolean {
  if (a.step !== b.step) return a.step > b.step;
  if (a.timestampMs !== b.timestampMs) return a.timestampMs > b.timestampMs;
  return comparable(a.value) > comparable(b.value);
}

/** The latest point of each key. */
export function latestByKey<P extends Point & { readonly key: string }>(points: readonly P[]): P[] {
  const latest = new Map<string, P>();
  for (const point of points) {
    const known = latest.get(point.key);
    if (known === undefined || isLater(point, known)) latest.set(point.key, point);
  }
  return [...latest.values()];
}
