import type { Span, SpanAttribute, SpanValue, Trace } from '#modules/traces';

/** JSON of values that are JSON already. */
const object = (fields: Readonly<Record<string, string>>): string =>
  `{${Object.entries(fields)
    .map(([key, json]) => `${JSON.stringify(key)}:${json}`)
    .join(',')}}`;
const array = (items: readonly string[]): string => `[${items.join(',')}]`;
const isList = (value: SpanValue): value is readonly SpanValue[] => Array.isArray(value);

/** As Python writes it: an integer has all its digits, a double its point; of a map's equal keys the last counts. */
function toJson(value: SpanValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return array(value.map(toJson));
  if ('m' in value) return toJsonObject(value.m);
  if ('d' in value) return Number.isInteger(value.d) ? `${value.d}.0`.replace(/(e.*)\.0$/, '$1') : String(value.d);
  return 'i' in value ? value.i : JSON.stringify(value.x);
}

const toJsonObject = (attributes: readonly SpanAttribute[]): string =>
  object(Object.fromEntries(attributes.map(([key, value]) => [key, toJson(value)])));

const toBase64 = (hex: string): string => JSON.stringify(Buffer.from(hex, 'hex').toString('base64'));

/** Each attribute is a text of JSON; nanoseconds are numbers that JavaScript's do not hold. */
function toFileSpan(traceId: string, span: Span): string {
  const attributes = Object.fromEntries(
    span.attributes.map(([key, value]) => [key, JSON.stringify(toJson(value))] as const),
  );
  return object({
    trace_id: toBase64(span.traceId),
    span_id: toBase64(span.spanId),
    parent_span_id: span.parentSpanId === undefined ? 'null' : toBase64(span.parentSpanId),
    name: JSON.stringify(span.name),
    start_time_unix_nano: String(span.startNs),
    end_time_unix_nano: span.endNs === 0n ? 'null' : String(span.endNs),
    events: array(
      span.events.map((event) =>
        object({
          name: JSON.stringify(event.name),
          time_unix_nano: String(event.timeNs),
          attributes: toJsonObject(event.attributes),
        }),
      ),
    ),
    status: JSON.stringify({ code: `STATUS_CODE_${span.status.code}`, message: span.status.message }),
    attributes: object({ ...attributes, 'mlflow.traceRequestId': JSON.stringify(JSON.stringify(traceId)) }),
    links: array(
      span.links.map((link) =>
        object({
          trace_id: JSON.stringify(`tr-${link.traceId}`),
          span_id: JSON.stringify(link.spanId),
          attributes: toJsonObject(link.attributes),
        }),
      ),
    ),
  });
}

/** The file `traces.json` of a trace, as MLflow writes it. */
export const toTraceFile = ({ info, spans }: Trace): string =>
  object({ spans: array(spans.map((span) => toFileSpan(info.traceId, span))) });
