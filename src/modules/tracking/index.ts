export { toCursorParts, toPosition } from './light-search.ts';
export { toRunDocument, toWireMetric } from './run-document.ts';
export type { RunPosition } from './run-search-plan.ts';
export type { FoundRuns, RunPageQuery } from './run-search-read-model.ts';
export type { RunFields } from './run-store.ts';
export { type Comparison, type Ordering, parseFilter, parseOrdering } from './search-grammar.ts';
export type { Found, SearchPage } from './search-read-model.ts';
export { byBytes, compileFilter, compileOrdering, type SearchSchema } from './search-store.ts';
export type { TrackingApi } from './tracking-api.ts';
export { createTrackingModule, type TrackingModule } from './tracking-module.ts';
export type {
  ArtifactEntry,
  DatasetInput,
  Experiment,
  LoggedModel,
  LoggedModelStatus,
  Metric,
  ModelOutput,
  NewMetric,
  Run,
  RunInfo,
  RunStatus,
  Tag,
} from './tracking-types.ts';
