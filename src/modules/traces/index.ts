export { type ResourceSpans, toTraceBatches } from './span-batch.ts';
export { attributesOf, factsOf } from './span-facts.ts';
export { type SpanAttribute, type SpanValue, toDouble, toInteger, toText } from './span-value.ts';
export type { Aggregation, MetricView } from './trace-metrics-read-model.ts';
export { isNewestFirst } from './trace-search-read-model.ts';
export { createTracesModule, type TracesApi, type TracesModule } from './traces-module.ts';
export type {
  Assessment,
  AssessmentError,
  NewAssessment,
  Span,
  SpanEvent,
  SpanStatus,
  Trace,
  TraceInfo,
  TraceState,
} from './traces-types.ts';
