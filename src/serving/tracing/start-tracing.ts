import { parseTraceparent, readTracestate } from '#contracts/trace-context';
import type { Ids } from '#platform/ids';
import { readOtelSettings, type TracingSettings } from './otel-settings.ts';
import { RequestTrace } from './request-trace.ts';
import { createSpanQueue } from './span-queue.ts';
import type { OtelVariables, Tracing, TracingDeps } from './tracing.ts';

/** Undefined when the settings leave no way to send spans, which is told. */
export function startTracing(variables: OtelVariables, deps: TracingDeps): Tracing | undefined {
  const { logger } = deps;
  const settings = readOtelSettings(variables, (problem) => logger.warn(`OpenTelemetry: ${problem}`));
  if (settings === undefined) return undefined;
  logger.info({ to: settings.url.origin + settings.url.pathname }, 'requests are traced');
  return createTracing(settings, deps);
}

function createTracing(settings: TracingSettings, deps: TracingDeps): Tracing {
  const { ids, programVersion } = deps;
  const queue = createSpanQueue(settings, {
    resource: {
      'service.name': 'tidemill-serving',
      'service.version': programVersion,
      'service.instance.id': deps.instance,
      'telemetry.sdk.name': 'tidemill',
      'telemetry.sdk.language': 'nodejs',
      ...settings.resource,
    },
    scope: { name: 'tidemill', version: programVersion },
    logger: deps.logger,
  });
  const spanId = spanIdsOf(ids);
  const hand = (trace: RequestTrace): void => queue.push(trace);
  return {
    begin(call) {
      const parent = parseTraceparent(call.traceparent);
      const traceId = parent?.traceId ?? ids.hex32();
      if (!settings.sample(parent?.sampled, traceId)) return undefined;
      const traceState = parent === undefined ? undefined : readTracestate(call.tracestate);
      return new RequestTrace(call, { traceId, parentId: parent?.spanId, traceState, spanId }, hand);
    },
    get exported() {
      return queue.exported;
    },
    get dropped() {
      return queue.dropped;
    },
    stop: (withinMs) => queue.stop(withinMs),
  };
}

/** Half of one of our random ids; all zeros is no span's. */
function spanIdsOf(ids: Ids): () => string {
  return () => {
    const id = ids.hex32().slice(16);
    return id === '0000000000000000' ? '0000000000000001' : id;
  };
}
