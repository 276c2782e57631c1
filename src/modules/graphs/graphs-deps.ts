import type { RegistryApi } from '#modules/registry';
import type { BlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Unit } from '#platform/database';
import type { Logger } from '#platform/log';

/** What `graphs` needs of its neighbours, no more. */
export interface GraphsDeps {
  readonly database: Database;
  readonly blobs: Pick<BlobStore, 'putStream'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Pick<RegistryApi, 'version' | 'promotions' | 'proposeVersion' | 'setAlias'>;
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
      sighting: {
        readonly project: string;
        readonly fingerprint: string;
        readonly kind: string;
        readonly severity: 'warning';
        readonly title: string;
        readonly subject: string;
        readonly evidence: unknown;
      },
    ): Promise<unknown>;
    resolve(
      unit: Unit,
      incident: { readonly project: string; readonly fingerprint: string; readonly reason: string },
    ): Promise<boolean>;
  };
}
