import type { DatasetsApi } from '#modules/datasets';
import type { JobsApi } from '#modules/jobs';
import type { EdgeResolver } from '#modules/lineage';
import type { BlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Reader, Unit } from '#platform/database';
import type { Logger } from '#platform/log';

/** What `predictions` needs of its neighbours, no more. */
export interface PredictionsDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A folder of our own for deliveries that are being read; emptied at the start. */
  readonly folder: string;
  readonly jobs: Pick<JobsApi, 'runTask'>;
  readonly datasets: Pick<DatasetsApi, 'version' | 'currentVersion'>;
  readonly artifacts: {
    retain(
      unit: Unit,
      input: { readonly project: string; readonly sha256: string; readonly sizeBytes: number; readonly owner: string },
    ): Promise<void>;
    release(
      unit: Unit,
      input: { readonly project: string; readonly owner: string; readonly sha256?: string },
    ): Promise<void>;
  };
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
    registerResolver(kind: 'prediction' | 'revision', resolve: EdgeResolver): void;
  };
  readonly alerts: {
    open(
      unit: Unit,
      sighting: {
        readonly project: string;
        readonly fingerprint: string;
        readonly kind: string;
        readonly severity: 'info' | 'warning' | 'critical';
        readonly title: string;
        readonly subject: string;
        readonly evidence: unknown;
      },
    ): Promise<unknown>;
    resolve(
      unit: Unit,
      incident: { readonly project: string; readonly fingerprint: string; readonly reason: string },
    ): Promise<unknown>;
    findOpen(reader: Reader, project: string, fingerprint: string): Promise<object | undefined>;
  };
}

/** Holds the files of an endpoint's log. */
export const logOwner = (endpoint: string): string => `prediction:log/${endpoint}`;
