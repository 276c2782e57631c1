import type { AuditVerdict } from '#contracts/audit';
import type { Unit } from '#platform/database';
import type { Denial } from '#platform/http';
import type { Anchor } from './verify-chain.ts';

/** The log as evidence: sealed, checked, exported; with what was refused and what was read. */
export interface AuditApi {
  /** For the HTTP edge: hears of each refused permission. Returns at once. */
  readonly recordDenied: (denial: Denial) => void;
  /** Writes down that something sensitive was read. */
  recordRead(
    unit: Unit,
    read: {
      readonly project: string;
      readonly subject: string;
      readonly operation: string;
      readonly requestId: string;
    },
  ): Promise<void>;
  /** Seals what is not sealed yet, without waiting for the loop; answers how many events. */
  seal(): Promise<number>;
  /** Computes every seal again; `anchor` is one that was noted down outside. */
  verify(anchor?: Anchor): Promise<AuditVerdict>;
}
