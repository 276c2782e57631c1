import type { AuditVerdict } from '#contracts/audit';
import type { Denial, SensitiveRead } from '#platform/http';
import type { Anchor } from './verify-chain.ts';

/** The log as evidence: sealed, checked, exported; with what was refused and what was read. */
export interface AuditApi {
  /** For the HTTP edge: hears of each refused permission. Returns at once. */
  readonly recordDenied: (denial: Denial) => void;
  /** For the HTTP edge: writes down that something sensitive was asked for. */
  readonly recordRead: (read: SensitiveRead) => Promise<void>;
  /** Seals what is not sealed yet, without waiting for the loop; answers how many events. */
  seal(): Promise<number>;
  /** Computes every seal again; `anchor` is one that was noted down outside. */
  verify(anchor?: Anchor): Promise<AuditVerdict>;
}
