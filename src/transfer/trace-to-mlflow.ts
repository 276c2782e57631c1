import type { AssessmentRecord, SpanRecord, TraceRecord } from '#contracts/trace-transfer';

/* Traces as MLflow reads them: information and assessments in the JSON of its REST API, spans for OTLP or for its files. */

type Attributes = SpanRecord['attributes'];
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const toInstant = (ms: number): string => new Date(Math.min(ms, 253_402_300_799_999)).toISOString();
const toTexts = (pairs: TraceRecord['tags']) => Object.fromEntries(pairs.map(({ key, value }) => [key, value]));

function toSaid({ kind, value, error, name }: AssessmentRecord): object {
  if (kind === 'issue') return { issue: { issue_name: typeof value === 'string' ? value : name } };
  if (kind === 'expectation')
    return {
      expectation:
        typeof value === 'object' && value !== null
          ? { serialized_value: { serialization_format: 'JSON_FORMAT', value: JSON.stringify(value) } }
          : { value },
    };
  return {
    feedback: {
      ...(value !== undefined && { value }),
      ...(error !== undefined && {
        error: {
          error_code: error.code,
          ...(error.message !== undefined && { error_message: error.message }),
          ...(error.stackTrace !== undefined && { stack_trace: error.stackTrace }),
        },
      }),
    },
  };
}

export const toMlflowAssessment = (traceId: string, given: AssessmentRecord): Readonly<Record<string, unknown>> => ({
  assessment_id: given.id,
  assessment_name: given.name,
  trace_id: traceId,
  source: { source_type: given.sourceType, source_id: given.sourceId },
  create_time: toInstant(given.createdMs),
  last_update_time: toInstant(given.updatedMs),
  ...toSaid(given),
  ...(given.spanId !== undefined && { span_id: given.spanId }),
  ...(given.rationale !== undefined && { rationale: given.rationale }),
  ...(given.metadata !== undefined && { metadata: given.metadata }),
  ...(given.overrides !== undefined && { overrides: given.overrides }),
  valid: given.valid,
});

/** Without tags, metadata and assessments, which its file store keeps apart. */
export const toMlflowInfo = (trace: Omit<TraceRecord, 'spans'>, experimentId: string) => ({
  trace_id: trace.id,
  ...(trace.clientRequestId !== undefined && { client_request_id: trace.clientRequestId }),
  trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: experimentId } },
  ...(trace.requestPreview !== undefined && { request_preview: trace.requestPreview }),
  ...(trace.responsePreview !== undefined && { response_preview: trace.responsePreview }),
  request_time: toInstant(trace.requestMs),
  ...(trace.durationMs !== undefined && { execution_duration: `${trace.durationMs / 1000}s` }),
  state: trace.state,
});

export const toMlflowTrace = (trace: Omit<TraceRecord, 'spans'>, experimentId: string) => ({
  ...toMlflowInfo(trace, experimentId),
  tags: toTexts(trace.tags),
  trace_metadata: toTexts(trace.metadata),
  assessments: trace.assessments.map((one) => toMlflowAssessment(trace.id, one)),
});

/** `AnyValue` of OTLP's JSON. */
function toAnyValue(value: unknown): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return { intValue: String(value) };
  if (isList(value)) return { arrayValue: { values: value.map(toAnyValue) } };
  const { i, d, x, m } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (i !== undefined) return { intValue: i };
  if (d !== undefined) return { doubleValue: d };
  if (x !== undefined) return { bytesValue: x };
  if (!isList(m)) return {};
  return { kvlistValue: { values: (m as [string, unknown][]).map(([key, one]) => ({ key, value: toAnyValue(one) })) } };
}

const toOtlpAttributes = (attributes: Attributes) =>
  attributes.map(({ key, value }) => ({ key, value: toAnyValue(value) }));

/** https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
export const toOtlpSpan = (traceId: string, span: SpanRecord) => ({
  traceId,
  spanId: span.id,
  ...(span.parentId !== undefined && { parentSpanId: span.parentId }),
  name: span.name,
  kind: span.kind,
  startTimeUnixNano: span.startNs,
  endTimeUnixNano: span.endNs,
  attributes: toOtlpAttributes(span.attributes),
  events: span.events.map(({ name, timeNs, attributes }) => ({
    name,
    timeUnixNano: timeNs,
    attributes: toOtlpAttributes(attributes),
  })),
  links: span.links.map((link) => ({ ...link, attributes: toOtlpAttributes(link.attributes) })),
  status: { code: ['UNSET', 'OK', 'ERROR'].indexOf(span.status), message: span.message },
  traceState: span.traceState,
});

/** The value as Python has it; of a map's equal keys the last counts. */
function toPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(toPlain);
  const { i, d, x, m } = value as Readonly<Record<string, unknown>>;
  return isList(m)
    ? Object.fromEntries((m as [string, unknown][]).map(([key, one]) => [key, toPlain(one)]))
    : (d ?? (i === undefined ? x : Number(i)));
}

const toBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
const requestIdAttribute = 'mlflow.traceRequestId';

/** A span of the file `traces.json`: each attribute is a text of JSON. Nanoseconds stay whole, so this is JSON already. */
export function toFileSpan(traceId: string, span: SpanRecord): string {
  const attributes = Object.fromEntries(span.attributes.map(({ key, value }) => [key, JSON.stringify(toPlain(value))]));
  const json = JSON.stringify({
    trace_id: toBase64(traceId.replace(/^tr-/, '')),
    span_id: toBase64(span.id),
    parent_span_id: span.parentId === undefined ? null : toBase64(span.parentId),
    name: span.name,
    start_time_unix_nano: span.startNs,
    end_time_unix_nano: span.endNs === '0' ? null : span.endNs,
    events: span.events.map(({ name, timeNs, attributes: own }) => ({
      name,
      time_unix_nano: timeNs,
      attributes: Object.fromEntries(own.map(({ key, value }) => [key, toPlain(value)])),
    })),
    status: { code: `STATUS_CODE_${span.status}`, message: span.message },
    attributes: { ...attributes, [requestIdAttribute]: JSON.stringify(traceId) },
    links: span.links.map((link) => ({
      trace_id: `tr-${link.traceId}`,
      span_id: link.spanId,
      attributes: Object.fromEntries(link.attributes.map(({ key, value }) => [key, toPlain(value)])),
    })),
  });
  return json.replaceAll(/"((?:start_|end_)?time_unix_nano)":"(\d{1,20})"/g, '"$1":$2');
}
