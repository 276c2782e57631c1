export { parseFilter, parseOrdering } from './search-grammar.ts';
export type { Found, SearchPage } from './search-read-model.ts';
export { compileFilter, compileOrdering, type SearchSchema } from './search-store.ts';
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
