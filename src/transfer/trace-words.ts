import type { AssessmentRecord, FoundTrace, TraceRecord } from '#contracts/trace-transfer';
import type { SourceTrace } from './source.ts';

/** The names under which MLflow keeps what a trace is about. */
export const artifactLocationTag = 'mlflow.artifactLocation';
export const spansLocationTag = 'mlflow.trace.spansLocation';
export const traceNameTag = 'mlflow.traceName';
export const sessionKey = 'mlflow.trace.session';
export const usageKey = 'mlflow.trace.tokenUsage';
export const costKey = 'mlflow.trace.cost';
/** The file in a trace's folder that holds its spans where no table does. */
export const spansFile = 'traces.json';

const states = ['OK', 'ERROR', 'IN_PROGRESS'] as const;
export const traceState = (word: string): TraceRecord['state'] =>
  states.find((state) => state === word) ?? 'STATE_UNSPECIFIED';

/** JSON, or undefined for a text that is none. */
export function parseOr(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

/** Nanoseconds are beyond what a number holds: they become texts. Within a text of JSON such a name has escaped quotes. */
export const parseSpanJson = (json: string): unknown =>
  parseOr(json.replaceAll(/"((?:start_|end_)?time(?:stamp|_unix_nano)?)":\s*(\d{16,20})(?=[\s,}])/g, '"$1":"$2"'));

/** Texts by name; whatever is none becomes JSON. */
export function toTexts(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(typeof value === 'object' && value !== null ? value : {}).map(([key, one]) => [
      key,
      typeof one === 'string' ? one : JSON.stringify(one),
    ]),
  );
}

export function toAssessmentError(value: unknown): AssessmentRecord['error'] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { error_code, error_message, stack_trace } = toTexts(value);
  return {
    code: error_code ?? '',
    ...(error_message !== undefined && { message: error_message }),
    ...(stack_trace !== undefined && { stackTrace: stack_trace }),
  };
}

/** What is known of a trace where it goes to. */
export type KnownTrace = Pick<FoundTrace, 'state' | 'spans' | 'tags'> & {
  readonly assessments: readonly Pick<AssessmentRecord, 'id' | 'updatedMs'>[];
};

/** Whether everything that can change of a trace after it has ended is there as it is at the source. */
export function isTraceThere({ record, spans }: SourceTrace, there: KnownTrace | undefined): boolean {
  if (there === undefined || there.state !== record.state || record.state === 'IN_PROGRESS') return false;
  if (spans !== undefined && there.spans < spans) return false;
  const tags = new Map(there.tags.map(({ key, value }) => [key, value]));
  const said = new Map(there.assessments.map(({ id, updatedMs }) => [id, updatedMs]));
  return (
    record.tags.every(({ key, value }) => key === spansLocationTag || tags.get(key) === value) &&
    record.assessments.every(({ id, updatedMs }) => said.get(id) === updatedMs)
  );
}
