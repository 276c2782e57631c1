import type { ResourceSpans, Span, SpanStatus } from '#modules/traces';

/** What a request to export holds, however it was written. */
export interface OtlpTraces {
  readonly groups: readonly ResourceSpans[];
  /** Spans that cannot be kept. */
  readonly rejected: number;
  /** Why the first of them was not kept. */
  readonly reason: string;
}

/** Deeper values are an attack, not an attribute. */
export const maxDepth = 64;

/** OpenTelemetry's numbers. */
export const statusCodes: readonly SpanStatus[] = ['UNSET', 'OK', 'ERROR'];

const isId = (text: string, digits: number) => text.length === digits && /^[0-9a-f]*[1-9a-f][0-9a-f]*$/.test(text);

/** Why a span has no place in a trace; undefined when it has one. */
function problemOf({ traceId, spanId, parentSpanId }: Span): string | undefined {
  if (!isId(traceId, 32)) return 'a trace id is 16 bytes that are not all zero';
  if (!isId(spanId, 16)) return 'a span id is 8 bytes that are not all zero';
  return parentSpanId === undefined || isId(parentSpanId, 16) ? undefined : 'a parent span id is 8 bytes';
}

/** Keeps sound spans and counts the others: one broken span costs itself alone. */
export class SpanCollector {
  private rejected = 0;
  private reason = '';

  add(spans: Span[], span: Span): void {
    const problem = problemOf(span);
    if (problem === undefined) spans.push(span);
    else this.reject(problem);
  }

  reject(problem: string): void {
    this.rejected += 1;
    this.reason ||= problem;
  }

  done(groups: readonly ResourceSpans[]): OtlpTraces {
    return { groups, rejected: this.rejected, reason: this.reason };
  }
}
