import type { AssessmentRecord, TraceRecord } from '#contracts/trace-transfer';
import { type Json, list, object, text } from './json.ts';
import type { SourceTrace } from './source.ts';
import { artifactLocationTag, parseOr, toAssessmentError, toTexts, traceState } from './trace-words.ts';

/* Traces as MLflow 3 writes them in JSON and in the YAML of its file store; its files of 2.x have older names. */

/** RFC 3339, or milliseconds. */
function toMs(value: unknown): number {
  const ms = typeof value === 'number' ? value : /^\d+$/.test(text(value)) ? Number(value) : Date.parse(text(value));
  return Number.isSafeInteger(ms) ? ms : 0;
}

/** `1.5s`, or milliseconds. */
function toDurationMs(value: unknown): number | undefined {
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(text(value))?.[1];
  if (seconds !== undefined) return Math.round(Number(seconds) * 1000);
  return text(value) === '' ? undefined : toMs(value);
}

/** A map of texts, or a list of pairs. */
function toPairs(value: unknown): TraceRecord['tags'] {
  if (Array.isArray(value)) return list(value).map((pair) => ({ key: text(pair['key']), value: text(pair['value']) }));
  return Object.entries(toTexts(value)).map(([key, one]) => ({ key, value: one }));
}

function toSaid(given: Json): Pick<AssessmentRecord, 'kind' | 'value' | 'error'> {
  if (given['issue'] !== undefined) return { kind: 'issue', value: text(object(given['issue'])['issue_name']) };
  if (given['expectation'] !== undefined) {
    const expectation = object(given['expectation']);
    const serialized = object(expectation['serialized_value']);
    const value = typeof serialized['value'] === 'string' ? parseOr(serialized['value']) : expectation['value'];
    return { kind: 'expectation', value: value ?? null };
  }
  const feedback = object(given['feedback']);
  const error = toAssessmentError(feedback['error'] ?? given['error']);
  return { kind: 'feedback', ...('value' in feedback && { value: feedback['value'] }), ...(error && { error }) };
}

export function toAssessmentRecord(given: Json): AssessmentRecord {
  const source = object(given['source']);
  const metadata = toTexts(given['metadata']);
  return {
    ...toSaid(given),
    id: text(given['assessment_id']),
    name: text(given['assessment_name'] ?? given['name']),
    sourceType: text(source['source_type']) || 'SOURCE_TYPE_UNSPECIFIED',
    sourceId: text(source['source_id']),
    ...(text(given['rationale']) !== '' && { rationale: text(given['rationale']) }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(text(given['span_id']) !== '' && { spanId: text(given['span_id']) }),
    ...(text(given['overrides']) !== '' && { overrides: text(given['overrides']) }),
    valid: given['valid'] !== false,
    createdMs: toMs(given['create_time'] ?? given['create_time_ms']),
    updatedMs: toMs(given['last_update_time'] ?? given['last_update_time_ms']),
  };
}

export function toSourceTrace(info: Json, experimentId: string): SourceTrace {
  const tags = toPairs(info['tags']);
  const durationMs = toDurationMs(
    info['execution_duration'] ?? info['execution_duration_ms'] ?? info['execution_time_ms'],
  );
  const optional = (name: string): string | undefined => text(info[name]) || undefined;
  const [clientRequestId, requestPreview, responsePreview] = [
    'client_request_id',
    'request_preview',
    'response_preview',
  ].map(optional);
  return {
    record: {
      id: text(info['trace_id'] ?? info['request_id']),
      experimentId,
      ...(clientRequestId !== undefined && { clientRequestId }),
      state: traceState(text(info['state'] ?? info['status'])),
      requestMs: toMs(info['request_time'] ?? info['timestamp_ms']),
      ...(durationMs !== undefined && { durationMs }),
      ...(requestPreview !== undefined && { requestPreview }),
      ...(responsePreview !== undefined && { responsePreview }),
      tags: tags.filter(({ key }) => key !== artifactLocationTag),
      metadata: toPairs(info['trace_metadata'] ?? info['request_metadata']),
      assessments: list(info['assessments']).map(toAssessmentRecord),
    },
    artifactUri: tags.find(({ key }) => key === artifactLocationTag)?.value ?? '',
    spans: undefined,
  };
}
