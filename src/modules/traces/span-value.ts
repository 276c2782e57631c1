import { type MetricNumber, toMetricNumber } from '#contracts/metric-number';

/*
 * A value of OpenTelemetry (`AnyValue`) as it is held in memory and stored, in the least JSON that keeps its kind:
 *
 *   text          "a"
 *   boolean       true
 *   integer       1, beyond 2^53 { "i": "9223372036854775807" }
 *   double        { "d": 1.5 }, what JSON cannot carry { "d": "NaN" }
 *   bytes         { "x": "<base64>" }
 *   array         [ … ]
 *   map           { "m": [ ["key", value], … ] }       in the order given, also when a key comes twice
 *   nothing       null
 *
 * Structure is written in single letters only, so that a search of the stored text finds what was said, not how.
 */
export type SpanValue =
  | null
  | string
  | boolean
  | number
  | readonly SpanValue[]
  | { readonly i: string }
  | { readonly d: MetricNumber }
  | { readonly x: string }
  | { readonly m: readonly SpanAttribute[] };

export type SpanAttribute = readonly [key: string, value: SpanValue];

export const toDouble = (value: number): SpanValue => ({ d: toMetricNumber(value) });

/** An integer of 64 bits. */
export function toInteger(value: bigint): SpanValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : { i: String(value) };
}

/** The value as people write it in JSON; of a map's equal keys the last counts. */
export function toPlain(value: SpanValue): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(toPlain);
  if ('m' in value) return toPlainMap(value.m);
  if ('d' in value) return value.d;
  return 'i' in value ? value.i : value.x;
}

/** Without a prototype's traps: a key may be `__proto__`. */
export const toPlainMap = (attributes: readonly SpanAttribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(([key, value]) => [key, toPlain(value)]));

const isList = (value: SpanValue): value is readonly SpanValue[] => Array.isArray(value);

/** A text as it is, anything else as JSON. */
export function toText(value: SpanValue): string {
  return typeof value === 'string' ? value : JSON.stringify(toPlain(value));
}
