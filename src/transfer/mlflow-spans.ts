import type { SpanRecord } from '#contracts/trace-transfer';
import { parseOr, parseSpanJson } from './trace-words.ts';

/*
 * A span as MLflow writes it. Three forms are about: protobuf's JSON (REST: a list of attributes, ids in base64), the one
 * of its database and files (a map of attributes, each a text of JSON; ids in base64, in 3.5 in hexadecimal), and that of
 * 2.x (`context`, times in `start_time`, ids as 0x…).
 */
type Json = Readonly<Record<string, unknown>>;
type Attributes = SpanRecord['attributes'];

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const ns = (value: unknown): string => (/^\d{1,20}$/.test(String(value)) ? String(value) : '0');

function toId(value: unknown, digits: number): string {
  const given = text(value).replace(/^(?:0x|tr-)/, '');
  if (given === '') return '';
  const isHex = given.length <= digits && /^[0-9a-f]+$/.test(given) && !given.endsWith('=');
  const hex = isHex ? given : Buffer.from(given, 'base64').toString('hex');
  return hex.padStart(digits, '0');
}

/** A value as clients send it to a server. */
function toAttribute(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : { d: value };
  if (Array.isArray(value)) return value.map(toAttribute);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return { m: Object.entries(value).map(([key, one]) => [key, toAttribute(one)]) };
}

/** `AnyValue` of protobuf. */
function fromWire(given: unknown): unknown {
  const value = object(given);
  const of = (name: string, camel: string): unknown => value[name] ?? value[camel];
  const [integer, double] = [of('int_value', 'intValue'), of('double_value', 'doubleValue')];
  const found = of('string_value', 'stringValue') ?? of('bool_value', 'boolValue');
  if (found !== undefined) return found;
  if (integer !== undefined)
    return Number.isSafeInteger(Number(integer)) ? Number(integer) : { i: text(integer) || '0' };
  if (double !== undefined) return { d: double };
  const bytes = of('bytes_value', 'bytesValue');
  if (bytes !== undefined) return { x: bytes };
  const array = of('array_value', 'arrayValue');
  if (array !== undefined) return list(object(array)['values']).map(fromWire);
  const map = of('kvlist_value', 'kvlistValue');
  if (map === undefined) return null;
  return { m: list(object(map)['values']).map((pair) => [text(object(pair)['key']), fromWire(object(pair)['value'])]) };
}

function toAttributes(given: unknown, isJson: boolean): Attributes {
  if (Array.isArray(given))
    return given.map((pair) => ({ key: text(object(pair)['key']), value: fromWire(object(pair)['value']) }));
  return Object.entries(object(given)).map(([key, value]) => {
    const parsed = isJson && typeof value === 'string' ? parseOr(value) : undefined;
    return { key, value: toAttribute(parsed === undefined ? value : parsed) };
  });
}

function toStatus(given: Json): SpanRecord['status'] {
  const code = text(object(given['status'])['code'] ?? given['status_code']).replace(
    /^(?:STATUS_CODE_|StatusCode\.)/,
    '',
  );
  return code === 'OK' || code === 'ERROR' ? code : 'UNSET';
}

/** Undefined when it has no id, so is no span. */
export function toSpanRecord(value: unknown): SpanRecord | undefined {
  const given = object(value);
  const context = object(given['context']);
  const id = toId(given['span_id'] ?? context['span_id'], 16);
  const parentId = toId(given['parent_span_id'] ?? given['parent_id'], 16);
  if (!/^[0-9a-f]{16}$/.test(id)) return undefined;
  return {
    id,
    ...(/^[0-9a-f]{16}$/.test(parentId) && { parentId }),
    name: text(given['name']),
    kind: typeof given['kind'] === 'number' && Number.isInteger(given['kind']) ? given['kind'] : 0,
    startNs: ns(given['start_time_unix_nano'] ?? given['start_time']),
    endNs: ns(given['end_time_unix_nano'] ?? given['end_time']),
    status: toStatus(given),
    message: text(object(given['status'])['message'] ?? given['status_message']),
    traceState: text(given['trace_state']),
    attributes: toAttributes(given['attributes'], true),
    events: list(given['events'])
      .map(object)
      .map((event) => ({
        name: text(event['name']),
        timeNs: ns(event['time_unix_nano'] ?? event['timestamp']),
        attributes: toAttributes(event['attributes'], false),
      })),
    links: list(given['links'])
      .map(object)
      .map((link) => ({
        traceId: toId(link['trace_id'], 32),
        spanId: toId(link['span_id'], 16),
        attributes: toAttributes(link['attributes'], false),
      }))
      .filter(({ traceId, spanId }) => /^[0-9a-f]{32}$/.test(traceId) && /^[0-9a-f]{16}$/.test(spanId)),
  };
}

/** Spans of a file `traces.json`. */
export const toSpanRecords = (json: string): SpanRecord[] =>
  list(object(parseSpanJson(json))['spans']).flatMap((span) => toSpanRecord(span) ?? []);
