import type { Database, Reader, Unit } from '#platform/database';
import type { Ids } from '#platform/ids';

/** What tracking needs of its neighbours, no more. */
export interface TrackingDeps {
  readonly database: Database;
  readonly ids: Ids;
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
  };
}
