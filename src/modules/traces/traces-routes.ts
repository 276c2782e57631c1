import type { FastifyInstance } from 'fastify';
import { toRfc3339 } from '#contracts/rfc3339';
import { getTrace, listTraces, type TraceView, type TraceWithSpans } from '#contracts/traces';
import { registerOperation } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { attributesOf, factsOf } from './span-facts.ts';
import { toPlainMap } from './span-value.ts';
import { metadataKeys } from './trace-keys.ts';
import type { TracesDeps } from './traces-deps.ts';
import { tracesErrors } from './traces-errors.ts';
import type { TracesApi } from './traces-module.ts';
import type { Assessment, Span, TraceInfo } from './traces-types.ts';

const toAssessmentView = (one: Assessment): TraceView['assessments'][number] => ({
  id: one.assessmentId,
  kind: one.kind,
  name: one.name,
  ...(one.value !== undefined && { value: one.value }),
  ...(one.error !== undefined && { error: one.error.message ?? one.error.code }),
  source: `${one.sourceType} ${one.sourceId}`.trimEnd(),
  ...(one.rationale !== undefined && { rationale: one.rationale }),
  ...(one.spanId !== undefined && { span: one.spanId }),
  valid: one.valid,
  at: toRfc3339(one.createdMs),
});

function tokensOf(usage: string | undefined): number | undefined {
  const total = /"total_tokens": ?(\d{1,15})/.exec(usage ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

function toTraceView(info: TraceInfo): TraceView {
  const { metadata } = info;
  const tokens = tokensOf(metadata[metadataKeys.usage]);
  const session = metadata[metadataKeys.session];
  const user = metadata[metadataKeys.user];
  return {
    id: info.traceId,
    experimentId: info.experimentId,
    ...(info.name !== undefined && { name: info.name }),
    state: info.state,
    startedAt: toRfc3339(info.requestMs),
    ...(info.durationMs !== undefined && { durationMs: info.durationMs }),
    ...(info.requestPreview !== undefined && { request: info.requestPreview }),
    ...(info.responsePreview !== undefined && { response: info.responsePreview }),
    ...(session !== undefined && { session }),
    ...(user !== undefined && { user }),
    ...(tokens !== undefined && { tokens }),
    tags: { ...info.tags },
    metadata: { ...metadata },
    assessments: info.assessments.map(toAssessmentView),
  };
}

const greatestMs = 8_640_000_000_000_000;
/** A broken clock's instant is shown as the last there is. */
const toInstant = (ns: bigint): string => toRfc3339(Math.min(Number(ns / 1_000_000n), greatestMs));

function toSpanView(span: Span): TraceWithSpans['spans'][number] {
  return {
    id: span.spanId,
    ...(span.parentSpanId !== undefined && { parent: span.parentSpanId }),
    name: span.name,
    type: factsOf(attributesOf(span)).type,
    status: span.status.code,
    ...(span.status.message !== '' && { message: span.status.message }),
    startedAt: toInstant(span.startNs),
    ...(span.endNs !== 0n && { durationMs: Number(span.endNs - span.startNs) / 1e6 }),
    attributes: toPlainMap(span.attributes),
    events: span.events.map(({ name, timeNs, attributes }) => ({
      name,
      at: toInstant(timeNs),
      attributes: toPlainMap(attributes),
    })),
  };
}

function toAfter(cursor: string | undefined) {
  if (cursor === undefined) return undefined;
  const [requestMs, traceId] = decodeCursor(cursor);
  return typeof requestMs === 'number' && typeof traceId === 'string' ? { requestMs, traceId } : undefined;
}

export function registerTracesRoutes(
  app: FastifyInstance,
  { database, tracking }: Pick<TracesDeps, 'database' | 'tracking'>,
  api: TracesApi,
): void {
  registerOperation(app, listTraces, async ({ query, context }, answer) => {
    const { project } = context;
    const { items, more } = await api.searchTraces(database.read, {
      project,
      experimentIds:
        query.experiment === undefined
          ? await tracking.activeExperimentIds(database.read, project)
          : [query.experiment],
      filter: query.filter,
      limit: query.limit ?? 50,
      after: toAfter(query.cursor),
    });
    const last = items.at(-1);
    return answer(200, {
      items: items.map(toTraceView),
      ...(more && last !== undefined && { next: encodeCursor([last.requestMs, last.traceId]) }),
    });
  });

  registerOperation(app, getTrace, async ({ params, context }, answer) => {
    const [trace] = await api.traces(database.read, context.project, [params.traceId]);
    if (trace === undefined) throw tracesErrors.TRACE_NOT_FOUND(params.traceId.slice(0, 100));
    return answer(200, { ...toTraceView(trace.info), spans: trace.spans.map(toSpanView) });
  });
}
