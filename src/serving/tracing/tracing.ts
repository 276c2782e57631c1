import type { Ids } from '#platform/ids';
import type { Logger } from '#platform/log';
import type { RequestTrace } from './request-trace.ts';

/** Spans of the requests for predictions. There is none unless it is asked for: who has no tracing pays nothing for it. */
export interface Tracing {
  /**
   * A trace for a request whose spans are to be recorded: the caller's goes on by its `traceparent`, else one begins.
   * Undefined when it is not sampled.
   */
  begin(asked: TracedCall): RequestTrace | undefined;
  /** Spans since the start. */
  readonly exported: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Sends what waits, for so long at most. */
  stop(withinMs: number): Promise<void>;
}

/** `queue_full`: more came than were sent; `export_failed`: the collector could not be reached, or refused them. */
export type DropReason = 'queue_full' | 'export_failed';

export interface TracedCall {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** performance.now() at receipt. */
  readonly startMs: number;
  /** Of few kinds: a route, not a path. */
  readonly name: string;
  readonly attributes: readonly SpanAttribute[];
}

export type SpanAttribute = readonly [name: string, value: string | number | boolean];

export interface TracingDeps {
  readonly ids: Ids;
  readonly logger: Logger;
  readonly programVersion: string;
  /** Tells this process from others of its kind. */
  readonly instance: string;
}

/** OpenTelemetry's own variables, as they are in the environment. */
export type OtelVariables = Readonly<Record<string, string | undefined>>;

/** Whether these variables ask for traces: by naming where they go. */
export function isTracingAsked(variables: OtelVariables): boolean {
  const given = (name: string): boolean => (variables[name] ?? '').trim() !== '';
  if (variables['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  if (given('OTEL_TRACES_EXPORTER')) return variables['OTEL_TRACES_EXPORTER']?.trim() === 'otlp';
  return given('OTEL_EXPORTER_OTLP_ENDPOINT') || given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
}

/** What it takes is loaded when it is asked for. */
export async function openTracing(variables: OtelVariables, deps: TracingDeps): Promise<Tracing | undefined> {
  if (!isTracingAsked(variables)) return undefined;
  const { startTracing } = await import('./start-tracing.ts');
  return startTracing(variables, deps);
}
