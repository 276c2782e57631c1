import type { EdgeResolver } from '#modules/lineage';
import type { Experiment } from '#modules/tracking';
import type { Database, Reader, Unit } from '#platform/database';
import type { Ids } from '#platform/ids';

/** What traces need of their neighbours, no more. */
export interface TracesDeps {
  readonly database: Database;
  readonly ids: Ids;
  readonly tracking: {
    experiment(reader: Reader, project: string, experimentId: string): Promise<Experiment | undefined>;
    activeExperimentIds(reader: Reader, project: string): Promise<readonly string[]>;
    runInfo(reader: Reader, project: string, runId: string): Promise<object | undefined>;
    artifactsAt(reader: Reader, project: string, paths: readonly string[]): Promise<readonly string[]>;
    /** Files of traces lie among the experiment's artifacts. */
    deleteArtifact(unit: Unit, input: { readonly project: string; readonly path: string }): Promise<boolean>;
  };
  readonly lineage: {
    registerResolver(kind: 'trace' | 'tracking-run' | 'logged-model', resolve: EdgeResolver): void;
  };
}
