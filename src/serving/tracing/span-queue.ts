import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#platform/log';
import type { TracingSettings } from './otel-settings.ts';
import { createProtobufEncoder, encodeJson, readRejected, type SpanBatch } from './otlp-encoding.ts';
import { createOtlpSender } from './otlp-sender.ts';
import type { RequestTrace, Span } from './request-trace.ts';
import type { DropReason } from './tracing.ts';

/**
 * Traces that have ended, on their way to a collector. There is room for so many spans; what does not fit is dropped and
 * counted, and no request ever waits. One batch is on its way at a time.
 */
export interface SpanQueue {
  push(trace: RequestTrace): void;
  readonly exported: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  stop(withinMs: number): Promise<void>;
}

/** A collector that is away is told of so often at most. */
const complainEveryMs = 60_000;

export function createSpanQueue(
  settings: TracingSettings,
  deps: Pick<SpanBatch, 'resource' | 'scope'> & { readonly logger: Logger },
): SpanQueue {
  const { maxQueued, maxBatch, everyMs } = settings;
  const sender = createOtlpSender(settings);
  const encode = settings.encoding === 'json' ? encodeJson : createProtobufEncoder();
  let waiting: RequestTrace[] = [];
  let waitingSpans = 0;
  let exported = 0;
  const dropped = { queue_full: 0, export_failed: 0 };
  let sending: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let complainedMs = Number.NEGATIVE_INFINITY;
  const stopped = new AbortController();

  function takeBatch(): readonly Span[] {
    const spans: Span[] = [];
    let taken = 0;
    for (const trace of waiting) {
      if (spans.length > 0 && spans.length + trace.size > maxBatch) break;
      spans.push(...trace.spans());
      waitingSpans -= trace.size;
      taken += 1;
    }
    waiting = waiting.slice(taken);
    return spans;
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const spans = takeBatch();
      const body = encode({ resource: deps.resource, scope: deps.scope, spans, originMs: originMs() });
      try {
        const answer = await sender.send(body, stopped.signal);
        const rejected = Math.min(spans.length, readRejected(answer, settings.encoding));
        exported += spans.length - rejected;
        dropped.export_failed += rejected;
        if (rejected > 0) complain(`the collector did not keep ${rejected} of ${spans.length} spans`);
      } catch (error) {
        dropped.export_failed += spans.length;
        complain(`${spans.length} spans could not be sent: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  function complain(what: string): void {
    const nowMs = performance.now();
    if (nowMs - complainedMs < complainEveryMs) return;
    complainedMs = nowMs;
    deps.logger.warn({ to: settings.url.origin }, `OpenTelemetry: ${what}`);
  }

  function start(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    sending ??= sendAll().finally(() => {
      sending = undefined;
    });
    return sending;
  }

  return {
    push(trace) {
      if (waitingSpans + trace.size > maxQueued) {
        dropped.queue_full += trace.size;
        return;
      }
      waiting.push(trace);
      waitingSpans += trace.size;
      if (sending !== undefined) return;
      if (waitingSpans >= maxBatch) void start();
      else timer ??= setTimeout(() => void start(), everyMs).unref();
    },
    get exported() {
      return exported;
    },
    get dropped() {
      return dropped;
    },
    async stop(withinMs) {
      const timeout = new AbortController();
      await Promise.race([start(), delay(withinMs, undefined, { signal: timeout.signal }).catch(() => undefined)]);
      timeout.abort();
      stopped.abort();
      await sending;
      sender.close();
    },
  };
}

/** The origin of performance.now(); follows the clock of the day where the two have parted. */
function originMs(): number {
  const now = Date.now() - performance.now();
  return Math.abs(now - performance.timeOrigin) > 50 ? now : performance.timeOrigin;
}
