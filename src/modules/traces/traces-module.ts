import type { FastifyInstance } from 'fastify';
import type { Reader } from '#platform/database';
import type { Consumer } from '#platform/events';
import { type AssessmentService, createAssessmentService } from './assessment-service.ts';
import { createPurgedConsumers } from './purged-consumers.ts';
import { createSpanService, type SpanService } from './span-service.ts';
import { countSpans, countSpansOf, listSpans } from './span-store.ts';
import { registerLineage } from './trace-lineage.ts';
import { type MetricPoint, queryTraceMetrics, type TraceMetricsQuery } from './trace-metrics-read-model.ts';
import {
  countTraces,
  type FoundTraces,
  listTraceInfos,
  searchTraces,
  type TraceSearch,
} from './trace-search-read-model.ts';
import { createTraceService, type TraceService } from './trace-service.ts';
import type { TracesDeps } from './traces-deps.ts';
import { registerTracesRoutes } from './traces-routes.ts';
import type { Trace, TraceInfo } from './traces-types.ts';
import { registerTransferRoutes } from './transfer-routes.ts';

/** The door of traces for other modules and protocols. */
export interface TracesApi extends TraceService, SpanService, AssessmentService {
  /** Undefined when there is none. */
  traceInfo(reader: Reader, project: string, traceId: string): Promise<TraceInfo | undefined>;
  /** Those that are there, in the order asked for. */
  traceInfos(reader: Reader, project: string, traceIds: readonly string[]): Promise<readonly TraceInfo[]>;
  /** The same with their spans. */
  traces(reader: Reader, project: string, traceIds: readonly string[]): Promise<readonly Trace[]>;
  /** The same, so many at a time as have few spans together; a trace with many comes alone. */
  tracesInParts(reader: Reader, project: string, traceIds: readonly string[]): AsyncIterable<readonly Trace[]>;
  spanCount(reader: Reader, project: string, traceId: string): Promise<number>;
  searchTraces(reader: Reader, query: TraceSearch): Promise<FoundTraces>;
  countTraces: typeof countTraces;
  traceMetrics(reader: Reader, query: TraceMetricsQuery): Promise<readonly MetricPoint[]>;
}

/** Spans and traces that are read into memory together, unless one trace has more. */
const spansAtOnce = 200;
const tracesAtOnce = 50;

export interface TracesModule {
  readonly id: 'traces';
  readonly api: TracesApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
}

/** What an application did for each request, span by span, and what people and judges said of it. */
export function createTracesModule(deps: TracesDeps): TracesModule {
  registerLineage(deps);
  const api: TracesApi = {
    ...createTraceService(deps),
    ...createSpanService(deps),
    ...createAssessmentService(deps),
    traceInfo: async (reader, project, traceId) => (await listTraceInfos(reader, project, [traceId]))[0],
    traceInfos: listTraceInfos,
    async traces(reader, project, traceIds) {
      const infos = await listTraceInfos(reader, project, traceIds);
      const spans = await listSpans(
        reader,
        project,
        infos.map(({ traceId }) => traceId),
      );
      return infos.map((info) => ({ info, spans: spans.get(info.traceId) ?? [] }));
    },
    async *tracesInParts(reader, project, traceIds) {
      const counts = await countSpansOf(reader, project, traceIds);
      let part: string[] = [];
      let spans = 0;
      for (const id of new Set(traceIds)) {
        const more = counts.get(id) ?? 0;
        if (part.length > 0 && (spans + more > spansAtOnce || part.length === tracesAtOnce)) {
          yield await api.traces(reader, project, part);
          [part, spans] = [[], 0];
        }
        part.push(id);
        spans += more;
      }
      if (part.length > 0) yield await api.traces(reader, project, part);
    },
    spanCount: countSpans,
    searchTraces,
    countTraces,
    traceMetrics: queryTraceMetrics,
  };
  return {
    id: 'traces',
    api,
    consumers: createPurgedConsumers({ ...deps, ...api }),
    routes(app) {
      registerTracesRoutes(app, deps, api);
      registerTransferRoutes(app, deps.database, api);
    },
  };
}
