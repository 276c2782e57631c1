export type { CellCounts, RevisionCounts } from './count-rules.ts';
export type {
  EventRange,
  LogFile,
  LoggedRevision,
  LogProgress,
  LogSnapshot,
  NewRevision,
  PredictionsApi,
  PushedValue,
  TrainingColumn,
  TrainingProfile,
  TruthBinding,
} from './predictions-api.ts';
export type { PredictionsDeps } from './predictions-deps.ts';
export { createPredictionsModule, type PredictionsModule } from './predictions-module.ts';
