import type { Reader } from '#platform/database';
import type { ArtifactService } from './artifact-service.ts';
import type { commonKeys } from './common-keys-read-model.ts';
import type { ExperimentDeletion } from './experiment-deletion.ts';
import type { ExperimentService } from './experiment-service.ts';
import type { HistoryService } from './history-service.ts';
import type { DatasetSummary } from './input-store.ts';
import type { LoggedModelService } from './logged-model-service.ts';
import type { LoggingService } from './logging-service.ts';
import type { PurgeService } from './purge/purge-service.ts';
import type { FoundRuns, RunPageQuery, RunQuery, RunWithDocument } from './run-search-read-model.ts';
import type { RunService } from './run-service.ts';
import type { RunFields } from './run-store.ts';
import type { Found, LoggedModelQuery, SearchPage } from './search-read-model.ts';
import type { Lifecycle } from './tracking-tables.ts';
import type { Experiment, LoggedModel, Run } from './tracking-types.ts';

/** Tracking's door for other modules and protocols. */
export interface TrackingApi
  extends ExperimentService,
    ExperimentDeletion,
    RunService,
    LoggingService,
    HistoryService,
    LoggedModelService,
    ArtifactService,
    PurgeService {
  /** Runs with what was logged to them; the newest first unless ordered otherwise. */
  searchRuns(reader: Reader, query: RunPageQuery & { readonly fields?: RunFields }): Promise<FoundRuns<Run>>;
  /** The same with what was logged as a JSON text, the shape of `toRunDocument`. */
  searchRunDocuments(reader: Reader, query: RunPageQuery): Promise<FoundRuns<RunWithDocument>>;
  /** The metrics and params that most of some runs have. */
  commonKeys: typeof commonKeys;
  countRuns(reader: Reader, query: RunQuery): Promise<number>;
  searchExperiments(
    reader: Reader,
    query: SearchPage & { readonly project: string; readonly lifecycle?: Lifecycle | undefined },
  ): Promise<Found<Experiment>>;
  searchLoggedModels(reader: Reader, query: LoggedModelQuery): Promise<Found<LoggedModel>>;
  /** Data sets that runs of some experiments used, each once for each context; a thousand at most. */
  datasetSummaries(
    reader: Reader,
    query: { readonly project: string; readonly experimentIds: readonly string[] },
  ): Promise<readonly DatasetSummary[]>;
}
