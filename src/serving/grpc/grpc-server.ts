import type { Clock } from '#platform/clock';
import type { Logger } from '#platform/log';
import type { Access } from '../access.ts';
import { type CallableEndpoints, createCallableEndpoints } from '../callable-endpoints.ts';
import type { EndpointTable } from '../endpoint-table.ts';
import type { InferenceCore } from '../inference.ts';
import type { ModelControl } from '../model-control.ts';
import type { RequestMemory } from '../request-memory.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { GrpcMethod, UnaryHandler } from './grpc-call.ts';
import { type GrpcCaller, modelNameOf } from './grpc-caller.ts';
import { createGrpcListener } from './grpc-listener.ts';
import { createHealthService, healthDescription } from './health-service.ts';
import { createInferCalls } from './infer-calls.ts';
import { createInferenceCalls } from './inference-calls.ts';
import { inferenceService } from './inference-messages.ts';
import { createOpenStreams } from './open-streams.ts';
import { decodeMessage, encodeMessage, type Message } from './proto-message.ts';
import { fullName, pathOf, type ServiceDescription } from './proto-service.ts';
import { createReflectionService, reflectionServices } from './reflection-service.ts';

export interface GrpcServerDeps {
  readonly table: EndpointTable;
  readonly core: InferenceCore;
  readonly access: Access;
  readonly models: (endpoints: CallableEndpoints, access: Access) => ModelControl;
  readonly clock: Clock;
  readonly tracing: Tracing | undefined;
  readonly logger: Logger;
  readonly programVersion: string;
  readonly memory: RequestMemory;
  /** Longest message that is taken. */
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  /** Why the process is not ready; undefined when it is. */
  readonly unreadiness: () => string | undefined;
  readonly draining: () => boolean;
}

export interface GrpcServer {
  /** Takes the address; gives its port. */
  listen(host: string, port: number): Promise<number>;
  /** Ends in order: calls under way are answered, streams end after what they were asked, new calls are refused. */
  stop(withinMs: number): Promise<void>;
}

/** The gRPC listener: Open Inference Protocol v2, health and reflection on one port, without TLS as REST. */
export function createGrpcServer(deps: GrpcServerDeps): GrpcServer {
  const { table, access } = deps;
  const endpoints = createCallableEndpoints({ table, access, placeOf: modelNameOf });
  const streams = createOpenStreams();
  const isReady = (): boolean => deps.unreadiness() === undefined;
  const health = createHealthService({ services: [fullName(inferenceService)], isReady, streams });
  table.onChange(() => health.changed());
  const calls = createInferenceCalls({ ...deps, endpoints, models: deps.models(endpoints, access) });
  const described = Object.entries(calls).map(([name, handle]) => {
    const { request, response } = inferenceService.calls[name as keyof typeof inferenceService.calls];
    return [name, toMethod(request, response, handle as DescribedCall)] as const;
  });
  const told = [inferenceService, healthDescription, ...reflectionServices];
  const methods = new Map([
    ...byPath(inferenceService, {
      ...Object.fromEntries(described),
      ...createInferCalls({ ...deps, endpoints, streams }),
    }),
    ...byPath(healthDescription, health.methods),
    ...reflectionServices.flatMap((reflection) =>
      byPath(reflection, createReflectionService(reflection, told, streams)),
    ),
  ]);
  const listener = createGrpcListener(methods, deps);

  return {
    listen: (host, port) => listener.listen(host, port),
    stop(withinMs) {
      health.changed();
      streams.end();
      return listener.stop(withinMs);
    },
  };
}

const byPath = (
  service: ServiceDescription,
  methods: Readonly<Record<string, GrpcMethod>>,
): (readonly [path: string, method: GrpcMethod])[] =>
  Object.entries(methods).map(([name, method]) => [pathOf(service, name), method]);

type DescribedCall = (
  request: unknown,
  caller: GrpcCaller,
) => Record<string, unknown> | Promise<Record<string, unknown>>;

/** A call whose messages are read and written by their descriptions. */
function toMethod(request: Message, response: Message, handle: DescribedCall): GrpcMethod {
  const unary: UnaryHandler = async (bytes, call) => ({
    message: encodeMessage<unknown>(response, await handle(decodeMessage(request, bytes), call)),
  });
  return { unary };
}
