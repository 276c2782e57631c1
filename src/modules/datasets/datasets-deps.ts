import type { AlertsApi } from '#modules/alerts';
import type { ArtifactsApi } from '#modules/artifacts';
import type { JobsApi } from '#modules/jobs';
import type { LineageApi } from '#modules/lineage';
import type { BlobStore } from '#platform/blobs';
import type { Database } from '#platform/database';
import type { EventLog } from '#platform/events';

/** What `datasets` needs of its neighbours, no more. */
export interface DatasetsDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly events: EventLog;
  readonly jobs: Pick<JobsApi, 'submit' | 'get' | 'runTask'>;
  readonly artifacts: Pick<ArtifactsApi, 'retain' | 'release' | 'assertReadable'>;
  readonly lineage: Pick<LineageApi, 'record' | 'registerAlias'>;
  readonly alerts: Pick<AlertsApi, 'open' | 'resolve'>;
}
