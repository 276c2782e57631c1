/**
 * The one encoder of keys, which join a prediction with its truth. A key of one value is that value's text; a composite
 * key is the JSON array of its values in the declared order, without blanks: `["UA",1545,"EWR","2013-01-01T10:00:00Z"]`.
 * An instant is RFC 3339 in UTC, to the second when it falls on one, else to the millisecond. In SQL (DuckDB) the
 * instant is `replace(strftime(t, '%Y-%m-%dT%H:%M:%S.%gZ'), '.000Z', 'Z')`.
 */
export type KeyValue = string | number | bigint | boolean | Date;

// A text that is an instant with an offset is that instant, however it is written: JSON has no other way to say one.
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Encodes the values of a key in their declared order. */
export function encodeKey(values: readonly KeyValue[]): string {
  const [only] = values;
  if (values.length === 1 && only !== undefined) return plainText(only);
  return `[${values.map(jsonText).join(',')}]`;
}

/** An instant as it stands in a key: `2013-01-01T10:00:00Z`. */
export function encodeInstant(atMs: number): string {
  return new Date(atMs).toISOString().replace('.000Z', 'Z');
}

function plainText(value: KeyValue): string {
  if (value instanceof Date) return encodeInstant(value.getTime());
  if (typeof value === 'string') return normalText(value);
  return String(value);
}

function jsonText(value: KeyValue): string {
  if (value instanceof Date || typeof value === 'string') return JSON.stringify(plainText(value));
  return String(value);
}

function normalText(text: string): string {
  if (!instant.test(text)) return text;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? text : encodeInstant(atMs);
}
