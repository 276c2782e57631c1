import {
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Logger } from '#platform/log';
import { toStatus } from './grpc-status.ts';
import type { OpenStreams } from './open-streams.ts';
import { decodeMessage, encodeMessage, message, one } from './proto-message.ts';
import type { ServiceDescription } from './proto-service.ts';

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
  readonly implementation: UntypedServiceImplementation;
  /** Tells watchers what has changed. */
  changed(): void;
}

type Watcher = ServerWritableStream<Buffer, Buffer>;

export function createHealthService(deps: {
  /** The whole server is asked for by ''. */
  readonly services: readonly string[];
  readonly isReady: () => boolean;
  readonly streams: OpenStreams;
  readonly logger: Logger;
}): HealthService {
  const { isReady, streams, logger } = deps;
  const known: ReadonlySet<string> = new Set(['', ...deps.services]);
  const watchers = new Map<Watcher, number>();
  const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = servingStatus.values;
  const current = (): number => (isReady() ? SERVING : NOT_SERVING);

  function tell(watcher: Watcher, state: number): void {
    watchers.set(watcher, state);
    watcher.write(encodeMessage(response, { status: state }));
  }

  return {
    implementation: {
      Check(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
        try {
          const { service } = decodeMessage(request, call.request);
          if (known.has(service)) return answer(null, encodeMessage(response, { status: current() }));
          answer({ code: status.NOT_FOUND, details: `there is no service "${service.slice(0, 200)}" here` });
        } catch (error) {
          answer(toStatus(error, logger));
        }
      },
      Watch(call: Watcher) {
        try {
          const { service } = decodeMessage(request, call.request);
          streams.add(call, () => call.end());
          // one that is not known may come: the protocol keeps the call open
          if (known.has(service)) tell(call, current());
          else call.write(encodeMessage(response, { status: SERVICE_UNKNOWN }));
          call.on('cancelled', () => watchers.delete(call));
        } catch (error) {
          call.emit('error', toStatus(error, logger));
        }
      },
    },
    changed() {
      const now = current();
      for (const [watcher, before] of watchers) if (before !== now) tell(watcher, now);
    },
  };
}
