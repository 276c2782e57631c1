import type { AssessmentError, NewAssessment, TraceState } from '#modules/traces';
import { invalidParameter } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';

/** protobuf's numbers of the states, which old clients may send. */
const states: Readonly<Record<TraceState, number>> = { STATE_UNSPECIFIED: 0, OK: 1, ERROR: 2, IN_PROGRESS: 3 };
const oldStates = { TRACE_STATUS_UNSPECIFIED: 0, OK: 1, ERROR: 2, IN_PROGRESS: 3 };
const sourceTypes = { SOURCE_TYPE_UNSPECIFIED: 0, HUMAN: 1, LLM_JUDGE: 2, CODE: 3, AI_JUDGE: 4 };

export function oldStateOf(fields: WireFields): TraceState {
  const state = fields.oneOf('status', oldStates) ?? 'TRACE_STATUS_UNSPECIFIED';
  return state === 'TRACE_STATUS_UNSPECIFIED' ? 'STATE_UNSPECIFIED' : state;
}

/** RFC 3339, as protobuf's JSON writes a timestamp; nanoseconds are cut. */
function instantOf(fields: WireFields, name: string): number | undefined {
  const text = fields.text(name);
  if (text === undefined) return undefined;
  const sound = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const ms = sound ? Date.parse(text.replace(/(\.\d{3})\d+/, '$1')) : Number.NaN;
  if (!Number.isSafeInteger(ms)) throw fields.invalid(name, 'Value was not a time such as 2026-01-31T12:00:00.5Z');
  return ms;
}

/** `1.5s`. */
function durationOf(fields: WireFields, name: string): number | undefined {
  const text = fields.text(name);
  if (text === undefined) return undefined;
  const seconds = /^(\d{1,12}(?:\.\d{1,9})?)s$/.exec(text)?.[1];
  if (seconds === undefined) throw fields.invalid(name, 'Value was not a duration such as 1.5s');
  return Math.round(Number(seconds) * 1000);
}

/** The trace that `POST /traces` tells. */
export function toldTraceOf(info: WireFields) {
  const location = info.message('trace_location');
  const experimentId = location?.message('mlflow_experiment')?.requiredName('experiment_id');
  if (experimentId === undefined) throw info.missing('trace_location.mlflow_experiment.experiment_id');
  const requestMs = instantOf(info, 'request_time');
  if (requestMs === undefined) throw info.missing('request_time');
  return {
    traceId: info.requiredName('trace_id'),
    experimentId,
    requestMs,
    durationMs: durationOf(info, 'execution_duration'),
    state: info.oneOf('state', states) ?? ('STATE_UNSPECIFIED' as const),
    clientRequestId: info.text('client_request_id'),
    requestPreview: info.text('request_preview') ?? info.text('request'),
    responsePreview: info.text('response_preview') ?? info.text('response'),
    tags: info.textMap('tags'),
    metadata: info.textMap('trace_metadata'),
    assessments: info.messages('assessments').map(toNewAssessment),
  };
}

const errorOf = (fields: WireFields | undefined): AssessmentError | undefined =>
  fields && {
    code: fields.text('error_code') ?? '',
    message: fields.text('error_message'),
    stackTrace: fields.text('stack_trace'),
  };

export const feedbackOf = (assessment: WireFields, fields: WireFields) => ({
  value: fields.any('value'),
  error: errorOf(fields.message('error') ?? assessment.message('error')),
});

export function expectationOf(fields: WireFields): { readonly value: unknown } {
  const serialized = fields.message('serialized_value');
  if (serialized === undefined) return { value: fields.any('value') ?? null };
  const text = serialized.requiredText('value');
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    throw serialized.invalid('value', 'Value was not JSON');
  }
}

function saidOf(fields: WireFields): Pick<NewAssessment, 'kind' | 'value' | 'error'> {
  const [feedback, expectation, issue] = [
    fields.message('feedback'),
    fields.message('expectation'),
    fields.message('issue'),
  ];
  if ([feedback, expectation, issue].filter((one) => one !== undefined).length > 1)
    throw invalidParameter('Exactly one of `expectation`, `feedback`, or `issue` should be specified.');
  if (feedback !== undefined) return { kind: 'feedback', ...feedbackOf(fields, feedback) };
  if (expectation !== undefined) return { kind: 'expectation', ...expectationOf(expectation), error: undefined };
  if (issue !== undefined) return { kind: 'issue', value: issue.text('issue_name'), error: undefined };
  throw invalidParameter('Unknown assessment type: exactly one of `expectation`, `feedback`, or `issue` is needed.');
}

export function toNewAssessment(fields: WireFields): NewAssessment {
  const source = fields.message('source');
  const metadata = fields.textMap('metadata');
  return {
    ...saidOf(fields),
    assessmentId: fields.text('assessment_id') || undefined,
    name: fields.requiredName('assessment_name'),
    sourceType: source?.oneOf('source_type', sourceTypes) ?? 'SOURCE_TYPE_UNSPECIFIED',
    sourceId: source?.text('source_id') ?? '',
    rationale: fields.text('rationale') || undefined,
    metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    spanId: fields.text('span_id') || undefined,
    overrides: fields.text('overrides') || undefined,
    valid: fields.flag('valid'),
    createdMs: instantOf(fields, 'create_time'),
    updatedMs: instantOf(fields, 'last_update_time'),
  };
}
