import type { AssessmentRecord, SpanRecord, TraceRecord } from '#contracts/trace-transfer';
import type { SpanAttribute, SpanValue } from './span-value.ts';
import { tagKeys } from './trace-keys.ts';
import { tracesErrors } from './traces-errors.ts';
import type { Assessment, NewAssessment, Span, Trace } from './traces-types.ts';

/** Deeper values are an attack, not an attribute. */
const maxDepth = 64;
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

function toValue(given: unknown, depth = 0): SpanValue {
  if (depth <= maxDepth) {
    if (given === null || typeof given === 'string' || typeof given === 'boolean') return given;
    if (typeof given === 'number' && Number.isSafeInteger(given)) return given;
    if (isList(given)) return given.map((one) => toValue(one, depth + 1));
    const [[kind, value] = [], ...more] = Object.entries(given ?? {});
    if (more.length === 0) {
      if (kind === 'i' && typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return { i: value };
      if (kind === 'x' && typeof value === 'string') return { x: value };
      if (kind === 'd' && typeof value === 'number') return { d: value };
      if (kind === 'd' && (value === 'NaN' || value === 'Infinity' || value === '-Infinity')) return { d: value };
      if (kind === 'm' && isList(value)) return { m: value.map((pair) => toPair(pair, depth + 1)) };
    }
  }
  throw tracesErrors.TRACE_VALUE_INVALID(
    `the attribute ${JSON.stringify(given).slice(0, 100)} is none of: a text, a boolean, an integer, null, a list, {"d": double}, {"i": "integer"}, {"x": base64}, {"m": [[key, value], …]}; and values nest at most ${maxDepth} deep`,
  );
}

function toPair(given: unknown, depth: number): SpanAttribute {
  if (isList(given) && given.length === 2 && typeof given[0] === 'string') return [given[0], toValue(given[1], depth)];
  throw tracesErrors.TRACE_VALUE_INVALID('a map among the attributes is a list of pairs of a key and a value');
}

const toAttributes = (given: SpanRecord['attributes']): SpanAttribute[] =>
  given.map(({ key, value }) => [key, toValue(value)]);

const toAttributeRecords = (attributes: readonly SpanAttribute[]): SpanRecord['attributes'] =>
  attributes.map(([key, value]) => ({ key, value }));

export const toSpan = (traceId: string, given: SpanRecord): Span => ({
  traceId,
  spanId: given.id,
  parentSpanId: given.parentId,
  name: given.name,
  kind: given.kind,
  startNs: BigInt(given.startNs),
  endNs: BigInt(given.endNs),
  attributes: toAttributes(given.attributes),
  events: given.events.map(({ name, timeNs, attributes }) => ({
    name,
    timeNs: BigInt(timeNs),
    attributes: toAttributes(attributes),
  })),
  links: given.links.map((link) => ({
    traceId: link.traceId,
    spanId: link.spanId,
    attributes: toAttributes(link.attributes),
  })),
  status: { code: given.status, message: given.message },
  traceState: given.traceState,
});

const toSpanRecord = (span: Span): SpanRecord => ({
  id: span.spanId,
  ...(span.parentSpanId !== undefined && { parentId: span.parentSpanId }),
  name: span.name,
  kind: span.kind,
  startNs: String(span.startNs),
  endNs: String(span.endNs),
  status: span.status.code,
  message: span.status.message,
  traceState: span.traceState,
  attributes: toAttributeRecords(span.attributes),
  events: span.events.map(({ name, timeNs, attributes }) => ({
    name,
    timeNs: String(timeNs),
    attributes: toAttributeRecords(attributes),
  })),
  links: span.links.map((link) => ({
    traceId: link.traceId,
    spanId: link.spanId,
    attributes: toAttributeRecords(link.attributes),
  })),
});

export const toAssessment = ({ id, ...given }: AssessmentRecord): NewAssessment => ({
  ...given,
  assessmentId: id,
  value: given.value,
  error: given.error,
  rationale: given.rationale,
  metadata: given.metadata,
  spanId: given.spanId,
});

const toAssessmentRecord = (given: Assessment): AssessmentRecord => ({
  id: given.assessmentId,
  kind: given.kind,
  name: given.name,
  ...(given.value !== undefined && { value: given.value }),
  ...(given.error !== undefined && {
    error: {
      code: given.error.code,
      ...(given.error.message !== undefined && { message: given.error.message }),
      ...(given.error.stackTrace !== undefined && { stackTrace: given.error.stackTrace }),
    },
  }),
  sourceType: given.sourceType,
  sourceId: given.sourceId,
  ...(given.rationale !== undefined && { rationale: given.rationale }),
  ...(given.metadata !== undefined && { metadata: { ...given.metadata } }),
  ...(given.spanId !== undefined && { spanId: given.spanId }),
  ...(given.overrides !== undefined && { overrides: given.overrides }),
  valid: given.valid,
  createdMs: given.createdMs,
  updatedMs: given.updatedMs,
});

export const toPairs = (texts: Readonly<Record<string, string>>): TraceRecord['tags'] =>
  Object.entries(texts).map(([key, value]) => ({ key, value }));

/** Where its files are goes beside a record. */
export function toTraceRecord({ info, spans }: Trace): { trace: TraceRecord; artifactUri: string } {
  const { [tagKeys.artifactLocation]: artifactUri = '', ...tags } = info.tags;
  const trace: TraceRecord = {
    id: info.traceId,
    experimentId: info.experimentId,
    ...(info.clientRequestId !== undefined && { clientRequestId: info.clientRequestId }),
    state: info.state,
    requestMs: info.requestMs,
    ...(info.durationMs !== undefined && { durationMs: info.durationMs }),
    ...(info.requestPreview !== undefined && { requestPreview: info.requestPreview }),
    ...(info.responsePreview !== undefined && { responsePreview: info.responsePreview }),
    tags: toPairs(tags),
    metadata: toPairs(info.metadata),
    assessments: info.assessments.map(toAssessmentRecord),
    spans: spans.map(toSpanRecord),
  };
  return { trace, artifactUri };
}
