import type { Database, Reader, Unit } from '#platform/database';
import type { Ids } from '#platform/ids';

/** What the registry needs of its neighbours, no more. */
export interface RegistryDeps {
  readonly database: Database;
  readonly ids: Ids;
  readonly approvals: {
    request(
      unit: Unit,
      input: {
        readonly project: string;
        readonly subject: string;
        readonly policy: string;
        readonly requestedBy: string;
      },
    ): Promise<string>;
    withdraw(
      unit: Unit,
      what: { readonly project: string; readonly subject: string; readonly reason: string },
    ): Promise<void>;
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
    missing(reader: Reader, project: string, digests: readonly string[]): Promise<readonly string[]>;
    release(unit: Unit, input: { readonly project: string; readonly owner: string }): Promise<void>;
  };
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
    registerAlias(
      kind: 'model',
      resolve: (reader: Reader, project: string, name: string, at: string | undefined) => Promise<string | undefined>,
    ): void;
  };
}
