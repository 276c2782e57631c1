import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { PredictionEnvelope } from '#contracts/prediction-record';
import type { Tensor } from '#contracts/tensor';
import { parseTraceparent } from '#contracts/trace-context';
import type { BatchRun } from '#runtimes/batcher';
import type { CallContext } from './call-context.ts';
import type { StageTimesUs } from './counters.ts';

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

const redactions = new WeakMap<SpecEndpoint, ReadonlySet<string>>();

/** What of a request or an answer may enter a record. */
export function withoutRedacted(spec: SpecEndpoint, tensors: readonly Tensor[]): readonly Tensor[] {
  const { redact } = spec.capture;
  if (redact === undefined || redact.length === 0) return tensors;
  let names = redactions.get(spec);
  if (names === undefined) {
    names = new Set(redact);
    redactions.set(spec, names);
  }
  const hidden = names;
  return tensors.some(({ name }) => hidden.has(name)) ? tensors.filter(({ name }) => !hidden.has(name)) : tensors;
}

/** Whom the rows are about: as the request says, else by the endpoint's column. */
export function subjectOf(
  spec: SpecEndpoint,
  given: readonly (string | null)[] | undefined,
  inputs: readonly Tensor[],
  rows: number,
): Pick<PredictionEnvelope, 'subject'> {
  if (given !== undefined) return { subject: [...given] };
  const column = spec.subject === undefined ? undefined : inputs.find(({ name }) => name === spec.subject);
  if (column === undefined || column.data.length !== rows) return {};
  return { subject: Array.from<unknown, string>(column.data as ArrayLike<unknown>, String) };
}

/** Where the spans of a request are: those made here, else the caller's; what is no context of a trace is left out. */
export function traceOf({
  trace,
  traceparent,
}: Pick<CallContext, 'trace' | 'traceparent'>): Pick<PredictionEnvelope, 'traceparent'> {
  if (trace !== undefined) return { traceparent: trace.traceparent };
  return traceparent === undefined || parseTraceparent(traceparent) === undefined ? {} : { traceparent };
}

export function redactedOf({ capture: { redact } }: SpecEndpoint): Pick<PredictionEnvelope, 'redacted'> {
  return redact === undefined || redact.length === 0 ? {} : { redacted: redact };
}
