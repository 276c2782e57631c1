import type { GrpcCall, GrpcMethod } from './grpc-call.ts';
import { grpcErrors } from './grpc-errors.ts';
import type { OpenStreams } from './open-streams.ts';
import { decodeMessage, encodeMessage, message, one } from './proto-message.ts';
import type { ServiceDescription } from './proto-service.ts';
import { status } from './status-codes.ts';

/** How probes ask: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
const servingStatus = {
  name: 'grpc.health.v1.HealthCheckResponse.ServingStatus',
  values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 },
} as const;
const request = message('grpc.health.v1.HealthCheckRequest', { service: one(1, 'string') });
const response = message('grpc.health.v1.HealthCheckResponse', { status: one(1, servingStatus) });

export const healthDescription = {
  file: 'grpc/health/v1/health.proto',
  package: 'grpc.health.v1',
  name: 'Health',
  calls: { Check: { request, response }, Watch: { request, response, streams: 'answers' } },
} as const satisfies ServiceDescription;

export interface HealthService {
  readonly methods: { readonly Check: GrpcMethod; readonly Watch: GrpcMethod };
  /** Tells watchers what has changed. */
  changed(): void;
}

export function createHealthService(deps: {
  /** The whole server is asked for by ''. */
  readonly services: readonly string[];
  readonly isReady: () => boolean;
  readonly streams: OpenStreams;
}): HealthService {
  const { isReady, streams } = deps;
  const known: ReadonlySet<string> = new Set(['', ...deps.services]);
  const watchers = new Map<GrpcCall, number>();
  const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = servingStatus.values;
  const current = (): number => (isReady() ? SERVING : NOT_SERVING);

  function tell(watcher: GrpcCall, state: number): void {
    watchers.set(watcher, state);
    watcher.send(encodeMessage(response, { status: state }));
  }

  return {
    methods: {
      Check: {
        unary(bytes, call) {
          const { service } = decodeMessage(request, bytes);
          if (!known.has(service))
            call.endAs({ code: status.NOT_FOUND, details: `there is no service "${service.slice(0, 200)}" here` });
          return { message: encodeMessage(response, { status: current() }) };
        },
      },
      Watch: {
        stream(call) {
          let isAsked = false;
          return {
            message(bytes) {
              call.release(bytes);
              if (isAsked) throw grpcErrors.CALL_NOT_SUPPORTED('the call takes one message and got a second');
              isAsked = true;
              const { service } = decodeMessage(request, bytes);
              streams.add(call, () => call.end());
              // one that is not known may come: the protocol keeps the call open
              if (known.has(service)) tell(call, current());
              else call.send(encodeMessage(response, { status: SERVICE_UNKNOWN }));
              call.onOver(() => watchers.delete(call));
            },
            end() {
              if (!isAsked) call.fail(grpcErrors.CALL_NOT_SUPPORTED('the call takes one message and got none'));
            },
          };
        },
      },
    },
    changed() {
      const now = current();
      for (const [watcher, before] of watchers) if (before !== now) tell(watcher, now);
    },
  };
}
