import type { JobsApi } from '#modules/jobs';
import type { BlobStore } from '#platform/blobs';
import type { Database, Reader, Unit } from '#platform/database';
import type { EventLog } from '#platform/events';

/** What `datasets` needs of its neighbours, no more. */
export interface DatasetsDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly events: EventLog;
  readonly jobs: Pick<JobsApi, 'submit' | 'get' | 'runTask'>;
  readonly artifacts: {
    retain(
      unit: Unit,
      input: { readonly project: string; readonly sha256: string; readonly sizeBytes: number; readonly owner: string },
    ): Promise<void>;
    release(
      unit: Unit,
      input: { readonly project: string; readonly owner: string; readonly sha256?: string },
    ): Promise<void>;
    assertReadable(reader: Reader, project: string, sha256: string): Promise<void>;
  };
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
  };
  readonly alerts: {
    open(
      unit: Unit,
      alert: {
        readonly project: string;
        readonly fingerprint: string;
        readonly kind: string;
        readonly severity: 'info' | 'warning' | 'critical';
        readonly title: string;
        readonly subject: string;
        readonly evidence: { readonly [key: string]: string | number | readonly string[] };
      },
    ): Promise<unknown>;
    resolve(
      unit: Unit,
      input: { readonly project: string; readonly fingerprint: string; readonly reason: string },
    ): Promise<unknown>;
  };
}
