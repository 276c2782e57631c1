import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { GrpcCaller } from './grpc-caller.ts';
import { status } from './status-codes.ts';

const service = 'inference.GRPCInferenceService';

/** The trace of a call, of a stream's one request of it; names as OpenTelemetry has them for gRPC. */
export const beginTrace = (
  tracing: Tracing,
  caller: GrpcCaller,
  method: string,
  startMs: number,
): RequestTrace | undefined =>
  tracing.begin({
    traceparent: caller.header('traceparent'),
    tracestate: caller.header('tracestate'),
    startMs,
    name: `${service}/${method}`,
    attributes: [
      ['rpc.system', 'grpc'],
      ['rpc.service', service],
      ['rpc.method', method],
    ],
  });

/** Those that the conventions call failures of a server. */
const failures: ReadonlySet<number> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

export function endTrace(trace: RequestTrace, code: number): void {
  trace.tell('rpc.grpc.status_code', code);
  if (code !== status.OK) trace.tell('error.type', String(code));
  trace.end(failures.has(code));
}
