import type { Reader } from '#platform/database';
import type { ArtifactService } from './artifact-service.ts';
import type { ExperimentService } from './experiment-service.ts';
import type { LoggedModelService } from './logged-model-service.ts';
import type { LoggingService } from './logging-service.ts';
import type { PurgeService } from './purge/purge-service.ts';
import type { RunService } from './run-service.ts';
import type { Found, SearchPage } from './search-read-model.ts';
import type { Lifecycle } from './tracking-tables.ts';
import type { Experiment, LoggedModel, Run } from './tracking-types.ts';

/** Tracking's door for other modules and protocols. */
export interface TrackingApi
  extends ExperimentService,
    RunService,
    LoggingService,
    LoggedModelService,
    ArtifactService,
    PurgeService {
  /** Runs with everything logged to them; the newest first unless ordered otherwise. */
  searchRuns(
    reader: Reader,
    query: SearchPage & {
      readonly project: string;
      readonly experimentIds: readonly string[];
      readonly lifecycle?: Lifecycle | undefined;
    },
  ): Promise<Found<Run>>;
  searchExperiments(
    reader: Reader,
    query: SearchPage & { readonly project: string; readonly lifecycle?: Lifecycle | undefined },
  ): Promise<Found<Experiment>>;
  searchLoggedModels(
    reader: Reader,
    query: SearchPage & { readonly project: string; readonly experimentIds: readonly string[] },
  ): Promise<Found<LoggedModel>>;
}
