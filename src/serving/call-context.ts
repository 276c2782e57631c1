import type { RequestTrace } from './tracing/request-trace.ts';

/** What the transport knows of a request beside its body. */
export interface CallContext {
  readonly version: string | undefined;
  readonly principal: string;
  readonly receivedAtMs: number;
  /** performance.now() at receipt. */
  readonly startedMs: number;
  /** performance.now() when the last byte was there; default: as `startedMs`. */
  readonly completeMs?: number;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  /** Where its stages are marked; undefined: it is not traced. */
  readonly trace?: RequestTrace | undefined;
  readonly keyHeader: string | undefined;
  readonly eventTimeHeader: string | undefined;
  /** On the scale of performance.now(): when nobody wants the answer any more, as a gRPC deadline says. */
  readonly deadlineMs?: number;
  /** Says that the client is gone; looked at before the model runs, so it needs no event. An AbortSignal is one. */
  readonly signal?: Pick<AbortSignal, 'aborted'>;
  header(name: string): string | undefined;
}
