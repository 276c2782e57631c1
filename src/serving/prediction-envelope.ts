import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { PredictionEnvelope } from '#contracts/prediction-record';
import type { ModelSignature } from '#contracts/tensor';
import { parseTraceparent } from '#contracts/trace-context';
import type { BatchRun } from '#runtimes/batcher';
import type { CheckedInputs } from '#runtimes/check-inputs';
import type { CallContext } from './call-context.ts';
import type { StageTimesUs } from './counters.ts';
import type { Redaction } from './redaction.ts';
import { readColumn } from './row-column.ts';

/** The parts of an answer's time until now. `fromMs`: when its last byte was there; `askedMs`: when the model was asked. */
export function stageTimesUs(fromMs: number, askedMs: number, run: BatchRun): StageTimesUs {
  return {
    input: toUs(askedMs - fromMs + (run.inferFromMs - run.takenMs)),
    queue: toUs(run.takenMs - askedMs),
    infer: toUs(run.inferToMs - run.inferFromMs),
    output: toUs(performance.now() - run.inferToMs),
  };
}

export const toUs = (ms: number): number => Math.max(0, Math.round(ms * 1_000));

/** Whom the rows are about: as the request says, else by the endpoint's column. */
export function subjectOf(
  { subject }: SpecEndpoint,
  given: readonly (string | null)[] | undefined,
  { signature }: { readonly signature: ModelSignature },
  { inputs, rows }: CheckedInputs,
  redaction: Redaction | undefined,
): Pick<PredictionEnvelope, 'subject'> {
  if (given !== undefined) return { subject: [...given] };
  if (subject === undefined || redaction?.hides(subject) === true) return {};
  const valueOf = readColumn(signature, inputs, subject);
  if (valueOf === undefined) return {};
  return { subject: Array.from({ length: rows }, (_, row) => String(valueOf(row))) };
}

/** Where the spans of a request are: those made here, else the caller's; what is no context of a trace is left out. */
export function traceOf({
  trace,
  traceparent,
}: Pick<CallContext, 'trace' | 'traceparent'>): Pick<PredictionEnvelope, 'traceparent'> {
  if (trace !== undefined) return { traceparent: trace.traceparent };
  return traceparent === undefined || parseTraceparent(traceparent) === undefined ? {} : { traceparent };
}

/** Why there is no answer. What a model says of its failure may quote its inputs: not where some of them are kept out. */
export function errorOf({ message }: { readonly message: string }, redaction: Redaction | undefined): string {
  return redaction === undefined ? message : withheldWords;
}
const withheldWords = 'the model failed; what it said is kept out of this record, as it may quote what `redact` names';

export function redactedOf(redaction: Redaction | undefined): Pick<PredictionEnvelope, 'redacted'> {
  return redaction === undefined ? {} : { redacted: redaction.keptOut as string[] };
}
