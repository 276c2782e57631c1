import { toRfc3339 } from '#contracts/rfc3339';
import type { Assessment, Span, SpanAttribute, SpanValue, Trace, TraceInfo } from '#modules/traces';
import { list } from './wire-views.ts';

/** `1.5s`, as protobuf writes a duration. */
const toWireDuration = (ms: number): string => `${ms / 1000}s`;

const toWireError = ({ code, message, stackTrace }: NonNullable<Assessment['error']>) => ({
  error_code: code,
  ...(message !== undefined && { error_message: message }),
  ...(stackTrace !== undefined && { stack_trace: stackTrace }),
});

/** Expectations that are no simple value travel as JSON in a text: protobuf's values know no integers. */
function toWireExpectation(value: unknown) {
  return typeof value === 'object' && value !== null
    ? { serialized_value: { serialization_format: 'JSON_FORMAT', value: JSON.stringify(value) } }
    : { value: value ?? null };
}

function toWireSaid({ kind, value, error, name }: Assessment) {
  if (kind === 'expectation') return { expectation: toWireExpectation(value) };
  if (kind === 'issue') return { issue: { issue_name: typeof value === 'string' ? value : name } };
  return {
    feedback: {
      ...(value !== undefined && { value }),
      ...(error !== undefined && { error: toWireError(error) }),
    },
  };
}

export const toWireAssessment = (assessment: Assessment) => ({
  assessment_id: assessment.assessmentId,
  assessment_name: assessment.name,
  trace_id: assessment.traceId,
  ...(assessment.spanId !== undefined && { span_id: assessment.spanId }),
  source: { source_type: assessment.sourceType, source_id: assessment.sourceId },
  create_time: toRfc3339(assessment.createdMs),
  last_update_time: toRfc3339(assessment.updatedMs),
  ...toWireSaid(assessment),
  ...(assessment.rationale !== undefined && { rationale: assessment.rationale }),
  ...(assessment.metadata !== undefined && { metadata: assessment.metadata }),
  ...(assessment.overrides !== undefined && { overrides: assessment.overrides }),
  valid: assessment.valid,
});

export const toWireTraceInfo = (info: TraceInfo) => ({
  trace_id: info.traceId,
  ...(info.clientRequestId !== undefined && { client_request_id: info.clientRequestId }),
  trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: info.experimentId } },
  ...(info.requestPreview !== undefined && { request_preview: info.requestPreview }),
  ...(info.responsePreview !== undefined && { response_preview: info.responsePreview }),
  request_time: toRfc3339(info.requestMs),
  ...(info.durationMs !== undefined && { execution_duration: toWireDuration(info.durationMs) }),
  state: info.state,
  trace_metadata: info.metadata,
  tags: info.tags,
  ...list('assessments', info.assessments.map(toWireAssessment)),
});

const toPairs = (texts: Readonly<Record<string, string>>) =>
  Object.entries(texts).map(([key, value]) => ({ key, value }));

/** As clients of MLflow 2 know a trace. */
export const toOldTraceInfo = (info: TraceInfo) => ({
  request_id: info.traceId,
  experiment_id: info.experimentId,
  timestamp_ms: info.requestMs,
  execution_time_ms: info.durationMs ?? 0,
  status: info.state === 'STATE_UNSPECIFIED' ? 'TRACE_STATUS_UNSPECIFIED' : info.state,
  ...list('request_metadata', toPairs(info.metadata)),
  ...list('tags', toPairs(info.tags)),
});

const toBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

/** Integers of 64 bits beyond what a number holds travel as texts, which protobuf's JSON reads alike. */
function toWireValue(value: SpanValue): object {
  if (value === null) return {};
  if (typeof value === 'string') return { string_value: value };
  if (typeof value === 'boolean') return { bool_value: value };
  if (typeof value === 'number') return { int_value: value };
  if (isList(value)) return { array_value: list('values', value.map(toWireValue)) };
  if ('m' in value) return { kvlist_value: list('values', toWireAttributes(value.m)) };
  if ('d' in value) return { double_value: value.d };
  return 'i' in value ? { int_value: value.i } : { bytes_value: value.x };
}
const isList = (value: SpanValue): value is readonly SpanValue[] => Array.isArray(value);

const toWireAttributes = (attributes: readonly SpanAttribute[]) =>
  attributes.map(([key, value]) => ({ key, value: toWireValue(value) }));

const toWireSpan = (span: Span) => ({
  trace_id: toBase64(span.traceId),
  span_id: toBase64(span.spanId),
  ...(span.traceState !== '' && { trace_state: span.traceState }),
  ...(span.parentSpanId !== undefined && { parent_span_id: toBase64(span.parentSpanId) }),
  name: span.name,
  ...(span.kind !== 0 && { kind: span.kind }),
  start_time_unix_nano: String(span.startNs),
  end_time_unix_nano: String(span.endNs),
  ...list('attributes', toWireAttributes(span.attributes)),
  ...list(
    'events',
    span.events.map(({ name, timeNs, attributes }) => ({
      time_unix_nano: String(timeNs),
      name,
      ...list('attributes', toWireAttributes(attributes)),
    })),
  ),
  ...list(
    'links',
    span.links.map(({ traceId, spanId, attributes }) => ({
      trace_id: toBase64(traceId),
      span_id: toBase64(spanId),
      ...list('attributes', toWireAttributes(attributes)),
    })),
  ),
  status: {
    ...(span.status.message !== '' && { message: span.status.message }),
    code: `STATUS_CODE_${span.status.code}`,
  },
});

export const toWireTrace = ({ info, spans }: Trace) => ({
  trace_info: toWireTraceInfo(info),
  ...list('spans', spans.map(toWireSpan)),
});
