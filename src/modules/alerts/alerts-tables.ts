import type { AlertSeverity, AlertState } from '#contracts/alerts';

export interface AlertsTables {
  readonly alerts: {
    readonly id: string;
    readonly project: string;
    readonly fingerprint: string;
    readonly kind: string;
    readonly severity: AlertSeverity;
    readonly title: string;
    readonly subject: string;
    readonly model: string | null;
    readonly version: number | null;
    readonly state: AlertState;
    readonly announced: 0 | 1;
    readonly count: number;
    /** JSON. */
    readonly evidence: string;
    readonly opened_ms: number;
    readonly last_seen_ms: number;
    readonly clock_ms: number;
    readonly resolved_ms: number | null;
    readonly resolved_reason: string | null;
  };
  readonly alert_silences: {
    readonly project: string;
    readonly fingerprint: string;
    readonly until_ms: number;
    readonly reason: string;
    readonly actor: string;
  };
}
