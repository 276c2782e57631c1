import type { SpanRecord } from '#contracts/trace-transfer';
import { doneTag, type ServerTarget } from './export-server-target.ts';
import { type Json, object, text } from './json.ts';
import { mlflow3 } from './mlflow-rest.ts';
import { createRestTraces } from './rest-traces.ts';
import type { SourceTrace } from './source.ts';
import { toMlflowTrace, toOtlpSpan } from './trace-to-mlflow.ts';
import { artifactLocationTag, isTraceThere, type KnownTrace, spansLocationTag } from './trace-words.ts';

/** Metadata that names a run or logged model. */
const linkKeys = new Set(['mlflow.sourceRun', 'mlflow.modelId']);

/** Tells a server of each trace, and sends its spans by OTLP and its files; what is there as it is here is passed by. */
export async function sendTraces(target: ServerTarget, from: string, to: string): Promise<void> {
  const { source, left, progress, step } = target;
  let known: ReadonlyMap<string, KnownTrace> | undefined;
  for await (const page of source.traces(from)) {
    known ??= await knownTraces(target, to);
    const spans = await source.spans(page);
    for (const trace of page) {
      const { id } = trace.record;
      if (isTraceThere(trace, known.get(id))) progress.tracesPassedBy += 1;
      else if (!(await sendTrace(target, trace, spans.get(id) ?? [], to))) {
        left.push('traces: the server is older than MLflow 3');
        return;
      }
      progress.traces += 1;
      step();
    }
  }
}

/** Traces that are wholly there; how many spans they have, no server says. */
async function knownTraces({ rest }: ServerTarget, experimentId: string): Promise<ReadonlyMap<string, KnownTrace>> {
  const known = new Map<string, KnownTrace>();
  for await (const page of createRestTraces(rest).traces(experimentId))
    for (const { record } of page)
      if (record.tags.some(({ key }) => key === doneTag))
        known.set(record.id, { ...record, spans: Number.POSITIVE_INFINITY });
  return known;
}

/** False where the server is older than traces of this form. */
async function sendTrace(
  target: ServerTarget,
  trace: SourceTrace,
  spans: readonly SpanRecord[],
  experimentId: string,
): Promise<boolean> {
  const { record, artifactUri } = trace;
  if (artifactUri !== '') {
    const made = await putTrace(target, record, experimentId, []);
    if (made === undefined) return false;
    await target.sendFiles(artifactUri, placeOf(made), { noun: 'trace', id: record.id });
  }
  if (!(await sendSpans(target, record.id, spans, experimentId)))
    target.left.push(`spans of trace ${record.id}: the server does not take them by OTLP`);
  // after the spans, of which a server computes times of its own
  return (await putTrace(target, record, experimentId, [{ key: doneTag, value: 'true' }])) !== undefined;
}

/** Undefined where the server does not know the call. */
async function putTrace(
  { rest, places }: ServerTarget,
  record: SourceTrace['record'],
  experimentId: string,
  more: SourceTrace['record']['tags'],
): Promise<Json | undefined> {
  const moved = {
    ...record,
    tags: [...record.tags.filter(({ key }) => key !== spansLocationTag), ...more],
    metadata: record.metadata.map(({ key, value }) => ({
      key,
      value: linkKeys.has(key) ? (places.get(value)?.id ?? value) : value,
    })),
  };
  return await rest.tryPost(`${mlflow3}/traces`, { trace: { trace_info: toMlflowTrace(moved, experimentId) } });
}

/** Where a server keeps the files of a trace. */
const placeOf = (made: Json): string =>
  text(object(object(object(made['trace'])['trace_info'])['tags'])[artifactLocationTag]);

/** False where the server is older than this way. */
async function sendSpans(
  { rest }: ServerTarget,
  id: string,
  spans: readonly SpanRecord[],
  experimentId: string,
): Promise<boolean> {
  if (spans.length === 0) return true;
  const body = {
    resourceSpans: [{ scopeSpans: [{ spans: spans.map((span) => toOtlpSpan(id.replace(/^tr-/, ''), span)) }] }],
  };
  return (await rest.tryPost('/v1/traces', body, { 'x-mlflow-experiment-id': experimentId })) !== undefined;
}
