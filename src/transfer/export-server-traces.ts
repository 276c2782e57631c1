import type { SpanRecord } from '#contracts/trace-transfer';
import type { ServerTarget } from './export-server-target.ts';
import { object, text } from './json.ts';
import { mlflow3 } from './mlflow-rest.ts';
import { createRestTraces } from './rest-traces.ts';
import type { SourceTrace } from './source.ts';
import { toMlflowTrace, toOtlpSpan } from './trace-to-mlflow.ts';
import { artifactLocationTag, isTraceThere, type KnownTrace, spansLocationTag } from './trace-words.ts';

/** Metadata that names a run or logged model. */
const linkKeys = new Set(['mlflow.sourceRun', 'mlflow.modelId']);

/** Tells a server of each trace, and sends its spans by OTLP and its files; what is there as it is here is passed by. */
export async function sendTraces(target: ServerTarget, from: string, to: string): Promise<void> {
  const { source, rest, left, places, progress, step } = target;
  const moved = (trace: SourceTrace['record']): SourceTrace['record'] => ({
    ...trace,
    tags: trace.tags.filter(({ key }) => key !== spansLocationTag),
    metadata: trace.metadata.map(({ key, value }) => ({
      key,
      value: linkKeys.has(key) ? (places.get(value)?.id ?? value) : value,
    })),
  });

  let known: ReadonlyMap<string, KnownTrace> | undefined;
  for await (const page of source.traces(from)) {
    known ??= await knownTraces(target, to);
    const spans = await source.spans(page);
    for (const trace of page) {
      const { record } = trace;
      const own = spans.get(record.id) ?? [];
      // spans go last: a trace without them may lack its files
      if (own.length === 0 || !isTraceThere({ ...trace, spans: own.length }, known.get(record.id))) {
        const info = toMlflowTrace(moved(record), to);
        const made = await rest.tryPost(`${mlflow3}/traces`, { trace: { trace_info: info } });
        if (made === undefined) {
          left.push('traces: the server is older than MLflow 3');
          return;
        }
        await sendFilesOf(target, trace, text(object(tagsOf(made))[artifactLocationTag]));
        if (!(await sendSpans(target, record.id, own, to)))
          left.push(`spans of trace ${record.id}: the server does not take them by OTLP`);
      }
      progress.traces += 1;
      step();
    }
  }
}

const tagsOf = (made: object): unknown => object(object(object(made)['trace'])['trace_info'])['tags'];

async function knownTraces({ rest }: ServerTarget, experimentId: string): Promise<ReadonlyMap<string, KnownTrace>> {
  const known = new Map<string, KnownTrace>();
  for await (const page of createRestTraces(rest).traces(experimentId))
    for (const { record } of page) {
      // a server says so once it has spans of a trace
      const hasSpans = record.tags.some(({ key }) => key === spansLocationTag);
      known.set(record.id, { ...record, spans: hasSpans ? Number.POSITIVE_INFINITY : 0 });
    }
  return known;
}

/** Attachments, and the spans of a trace of MLflow 2, which lie in a file. */
async function sendFilesOf(target: ServerTarget, { record, artifactUri }: SourceTrace, place: string): Promise<void> {
  if (artifactUri !== '') await target.sendFiles(artifactUri, place, { noun: 'trace', id: record.id });
}

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
