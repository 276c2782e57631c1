import type { Clock } from '#platform/clock';
import type { Database, Reader, Unit } from '#platform/database';
import type { Ids } from '#platform/ids';
import type { Logger } from '#platform/log';

/** What tracking needs of its neighbours, no more. */
export interface TrackingDeps {
  readonly database: Database;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error'>;
  /** What was deleted so long ago is purged. Default: nothing is purged unasked. */
  readonly purgeAfterMs?: number | undefined;
  readonly projects: { list(reader: Reader): Promise<readonly { readonly name: string }[]> };
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
    missing(reader: Reader, project: string, digests: readonly string[]): Promise<readonly string[]>;
    release(
      unit: Unit,
      input: { readonly project: string; readonly owner: string; readonly sha256?: string },
    ): Promise<void>;
    releaseAll(
      unit: Unit,
      holder: { readonly project: string; readonly owner: string },
      digests: readonly string[],
    ): Promise<void>;
  };
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
  };
}
