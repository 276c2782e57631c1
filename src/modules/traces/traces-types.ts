import type { SpanAttribute } from './span-value.ts';
import type { AssessmentKind, SpanStatus, TraceState } from './traces-tables.ts';

export type { AssessmentKind, SpanStatus, TraceState };

/** One piece of work of a trace, as OpenTelemetry tells it. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** OpenTelemetry's number: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly startNs: bigint;
  /** 0 when it has not ended. */
  readonly endNs: bigint;
  readonly attributes: readonly SpanAttribute[];
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  readonly status: { readonly code: SpanStatus; readonly message: string };
  readonly traceState: string;
}

export interface SpanEvent {
  readonly name: string;
  readonly timeNs: bigint;
  readonly attributes: readonly SpanAttribute[];
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: readonly SpanAttribute[];
}

export interface Assessment {
  readonly assessmentId: string;
  readonly traceId: string;
  readonly kind: AssessmentKind;
  readonly name: string;
  /** Any JSON. */
  readonly value: unknown;
  readonly error: AssessmentError | undefined;
  readonly sourceType: string;
  readonly sourceId: string;
  readonly rationale: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly spanId: string | undefined;
  readonly overrides: string | undefined;
  /** False when another one replaces it. */
  readonly valid: boolean;
  readonly createdMs: number;
  readonly updatedMs: number;
}

export interface AssessmentError {
  readonly code: string;
  readonly message?: string | undefined;
  readonly stackTrace?: string | undefined;
}

export type NewAssessment = Omit<
  Assessment,
  'assessmentId' | 'traceId' | 'valid' | 'createdMs' | 'updatedMs' | 'overrides'
> & {
  readonly assessmentId?: string | undefined;
  readonly overrides?: string | undefined;
  readonly valid?: boolean | undefined;
  readonly createdMs?: number | undefined;
  readonly updatedMs?: number | undefined;
};

/** A trace without its spans. */
export interface TraceInfo {
  readonly traceId: string;
  readonly project: string;
  readonly experimentId: string;
  readonly clientRequestId: string | undefined;
  readonly name: string | undefined;
  readonly state: TraceState;
  readonly requestMs: number;
  readonly durationMs: number | undefined;
  readonly requestPreview: string | undefined;
  readonly responsePreview: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** The oldest first. */
  readonly assessments: readonly Assessment[];
}

export interface Trace {
  readonly info: TraceInfo;
  /** The root first, then by start. */
  readonly spans: readonly Span[];
}
