import {
  type ResourceSpans,
  type Span,
  type SpanAttribute,
  type SpanValue,
  toDouble,
  toInteger,
} from '#modules/traces';
import { malformed, otlpErrors } from './otlp-errors.ts';
import { maxDepth, type OtlpTraces, SpanCollector, statusCodes } from './otlp-spans.ts';

/*
 * The same request as JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): names in camelCase, ids in
 * hexadecimal, integers of 64 bits as texts or numbers, enums as numbers. Unknown fields are passed over.
 */
type Json = Readonly<Record<string, unknown>>;

function toObject(value: unknown, what: string): Json {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed(`'${what}' is not an object`);
  return value as Json;
}

function toList(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed(`'${what}' is not a list`);
  return value;
}

function toText(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw malformed(`'${what}' is not a text`);
  return value;
}

function toBigInt(value: unknown, what: string): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw malformed(`'${what}' is not an integer`);
}

const toNs = (value: unknown, what: string): bigint => BigInt.asUintN(64, toBigInt(value, what));
const toId = (value: unknown, what: string): string => toText(value, what).toLowerCase();

function toNumber(value: unknown): SpanValue {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number') throw malformed("'doubleValue' is not a number");
  return toDouble(number);
}

function toValue(given: unknown, depth: number): SpanValue {
  if (depth > maxDepth) throw malformed(`values are nested more than ${maxDepth} deep`);
  const value = toObject(given, 'value');
  if (value['stringValue'] !== undefined) return toText(value['stringValue'], 'stringValue');
  if (value['boolValue'] !== undefined) return value['boolValue'] === true;
  if (value['intValue'] !== undefined) return toInteger(BigInt.asIntN(64, toBigInt(value['intValue'], 'intValue')));
  if (value['doubleValue'] !== undefined) return toNumber(value['doubleValue']);
  if (value['bytesValue'] !== undefined) return { x: toText(value['bytesValue'], 'bytesValue') };
  if (value['arrayValue'] !== undefined)
    return toList(toObject(value['arrayValue'], 'arrayValue')['values'], 'values').map((one) =>
      toValue(one, depth + 1),
    );
  if (value['kvlistValue'] !== undefined)
    return { m: toAttributes(toObject(value['kvlistValue'], 'kvlistValue')['values'], depth + 1) };
  return null;
}

function toAttributes(given: unknown, depth = 0): readonly SpanAttribute[] {
  return toList(given, 'attributes').map((one): SpanAttribute => {
    const { key, value } = toObject(one, 'attribute');
    return [toText(key, 'key'), toValue(value, depth)];
  });
}

function toStatus(given: unknown): Span['status'] {
  const { code, message } = toObject(given, 'status');
  const number =
    typeof code === 'string' ? ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'].indexOf(code) : code;
  return { code: statusCodes[Number(number ?? 0)] ?? 'UNSET', message: toText(message, 'message') };
}

function toSpan(given: unknown): Span {
  const span = toObject(given, 'span');
  const parent = toId(span['parentSpanId'], 'parentSpanId');
  const kind = span['kind'];
  return {
    traceId: toId(span['traceId'], 'traceId'),
    spanId: toId(span['spanId'], 'spanId'),
    parentSpanId: parent === '' ? undefined : parent,
    name: toText(span['name'], 'name'),
    kind: typeof kind === 'number' && Number.isInteger(kind) && kind > 0 && kind < 1000 ? kind : 0,
    startNs: toNs(span['startTimeUnixNano'], 'startTimeUnixNano'),
    endNs: toNs(span['endTimeUnixNano'], 'endTimeUnixNano'),
    attributes: toAttributes(span['attributes']),
    events: toList(span['events'], 'events').map((one) => {
      const event = toObject(one, 'event');
      return {
        name: toText(event['name'], 'name'),
        timeNs: toNs(event['timeUnixNano'], 'timeUnixNano'),
        attributes: toAttributes(event['attributes']),
      };
    }),
    links: toList(span['links'], 'links').map((one) => {
      const link = toObject(one, 'link');
      return {
        traceId: toId(link['traceId'], 'traceId'),
        spanId: toId(link['spanId'], 'spanId'),
        attributes: toAttributes(link['attributes']),
      };
    }),
    status: toStatus(span['status']),
    traceState: toText(span['traceState'], 'traceState'),
  };
}

/** Lists and objects in one request, those in texts too; a few bytes may be one, which takes many more in memory. */
const maxParts = 4_000_000;

function requireFewParts(body: Buffer): void {
  let parts = 0;
  for (const byte of body) if (byte === 0x7b || byte === 0x5b) parts += 1;
  if (parts > maxParts) throw otlpErrors.OTLP_TOO_LARGE(maxParts, 'parts');
}

/** OTLP_MALFORMED for a text that is no such message, OTLP_TOO_LARGE for one of too many parts; spans without sound ids are counted, not kept. */
export function decodeJson(body: Buffer): OtlpTraces {
  requireFewParts(body);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw malformed('the body is not JSON');
  }
  const collector = new SpanCollector();
  const groups = toList(toObject(parsed, 'the body')['resourceSpans'], 'resourceSpans').map((one): ResourceSpans => {
    const group = toObject(one, 'resourceSpans');
    const spans: Span[] = [];
    for (const scope of toList(group['scopeSpans'], 'scopeSpans'))
      for (const span of toList(toObject(scope, 'scopeSpans')['spans'], 'spans')) collector.add(spans, toSpan(span));
    return { resource: toAttributes(toObject(group['resource'], 'resource')['attributes']), spans };
  });
  return collector.done(groups);
}
