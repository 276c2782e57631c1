import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SpanRecord } from '#contracts/trace-transfer';
import type { RunRecord } from '#contracts/transfer';
import { type MlflowRest, mlflow3 } from './mlflow-rest.ts';
import type { Progress } from './progress.ts';
import { toPythonYaml } from './python-yaml.ts';
import type { Source, SourceTrace } from './source.ts';
import { toFileSpan, toMlflowAssessment, toMlflowInfo, toMlflowTrace, toOtlpSpan } from './trace-to-mlflow.ts';
import { artifactLocationTag, spansFile, spansLocationTag } from './trace-words.ts';

/** Metadata that names a run or logged model. */
const linkKeys = new Set(['mlflow.sourceRun', 'mlflow.modelId']);

interface TraceContext {
  readonly progress: Progress;
  readonly left: string[];
  readonly step: () => void;
}

/** Tells a server of each trace, and sends its spans by OTLP; both may come again. */
export async function sendTraces(
  source: Source,
  rest: MlflowRest,
  experiment: { readonly from: string; readonly to: string },
  context: TraceContext & { readonly newIdOf: (id: string) => string | undefined },
): Promise<void> {
  const { progress, left, step, newIdOf } = context;
  const moved = (trace: SourceTrace['record']) => ({
    ...trace,
    tags: trace.tags.filter(({ key }) => key !== spansLocationTag),
    metadata: trace.metadata.map(({ key, value }) => ({
      key,
      value: linkKeys.has(key) ? (newIdOf(value) ?? value) : value,
    })),
  });

  /** False where the server is older than this way. */
  async function sendSpans(id: string, spans: readonly SpanRecord[]): Promise<boolean> {
    const body = {
      resourceSpans: [{ scopeSpans: [{ spans: spans.map((span) => toOtlpSpan(id.replace(/^tr-/, ''), span)) }] }],
    };
    return (
      spans.length === 0 ||
      (await rest.tryPost('/v1/traces', body, { 'x-mlflow-experiment-id': experiment.to })) !== undefined
    );
  }

  for await (const page of source.traces(experiment.from)) {
    const spans = await source.spans(page);
    for (const { record } of page) {
      const trace = { trace_info: toMlflowTrace(moved(record), experiment.to) };
      if ((await rest.tryPost(`${mlflow3}/traces`, { trace })) === undefined) {
        left.push('traces: the server is older than MLflow 3');
        return;
      }
      if (!(await sendSpans(record.id, spans.get(record.id) ?? [])))
        left.push(`spans of trace ${record.id}: the server does not take them by OTLP`);
      progress.traces += 1;
      step();
    }
  }
}

/** Writes the traces of an experiment into the folder of a file store; `mlruns-traces.ts` has its layout. */
export async function writeTraces(
  source: Source,
  experimentId: string,
  base: string,
  context: TraceContext & {
    readonly writePairs: (folder: string, pairs: RunRecord['tags'], owner: string) => Promise<void>;
    readonly writeFiles: (uri: string, into: string) => Promise<string>;
  },
): Promise<void> {
  for await (const page of source.traces(experimentId)) {
    const spans = await source.spans(page);
    for (const { record, artifactUri } of page) {
      const own = join(base, 'traces', record.id);
      const artifacts = join(own, 'artifacts');
      const owner = `trace ${record.id}`;
      const place = { key: artifactLocationTag, value: pathToFileURL(artifacts).href };
      const tags = record.tags.filter(({ key }) => key !== spansLocationTag);
      await context.writePairs(join(own, 'tags'), [...tags, place], owner);
      await context.writePairs(join(own, 'request_metadata'), record.metadata, owner);
      await mkdir(join(own, 'assessments'), { recursive: true });
      for (const one of record.assessments)
        await writeFile(join(own, 'assessments', `${one.id}.yaml`), toPythonYaml(toMlflowAssessment(record.id, one)));
      await context.writeFiles(artifactUri, artifacts);
      const lines = (spans.get(record.id) ?? []).map((span) => toFileSpan(record.id, span));
      await mkdir(artifacts, { recursive: true });
      if (lines.length > 0) await writeFile(join(artifacts, spansFile), `{"spans": [${lines.join(', ')}]}`);
      const { trace_location, ...info } = toMlflowInfo(record, experimentId);
      await writeFile(join(own, 'trace_info.yaml'), toPythonYaml({ ...info, trace_location }));
      context.progress.traces += 1;
      context.step();
    }
  }
}
