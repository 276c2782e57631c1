import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { PredictionsApi } from '#modules/predictions';
import type { ModelVersion } from '#modules/registry';
import type { BlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Reader, Unit } from '#platform/database';
import type { EventLog } from '#platform/events';

export type CallerToken = SpecEndpoint['access']['tokens'][number];

/** What `deployments` needs of its neighbours, no more. */
export interface DeploymentsDeps {
  readonly database: Database;
  readonly blobs: Pick<BlobStore, 'openRead' | 'stat'>;
  readonly clock: Clock;
  readonly events: Pick<EventLog, 'tail'>;
  /** Whether the server asks for tokens; then endpoints do as well. */
  readonly auth: 'open' | 'required';
  readonly registry: {
    /** `at`: a number, an alias, or `latest`. */
    version(reader: Reader, project: string, model: string, at: number | string): Promise<ModelVersion | undefined>;
  };
  readonly artifacts: {
    retain(
      unit: Unit,
      input: {
        readonly project: string;
        readonly sha256: string;
        readonly sizeBytes: number;
        readonly owner: string;
        readonly name?: string;
      },
    ): Promise<void>;
    release(unit: Unit, input: { readonly project: string; readonly owner: string }): Promise<void>;
  };
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
  };
  readonly identity: {
    /** Digests of the tokens that may read a project now, with whom they stand for and when they end. */
    readerTokens(reader: Reader, project: string, nowMs: number): Promise<readonly CallerToken[]>;
  };
  readonly predictions: Pick<PredictionsApi, 'registerRevision' | 'reportProgress' | 'reportLoss'>;
}
