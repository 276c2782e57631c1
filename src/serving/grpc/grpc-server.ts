import { Server, type ServerUnaryCall, type sendUnaryData, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '#platform/clock';
import type { Logger } from '#platform/log';
import type { Access } from '../access.ts';
import { type CallableEndpoints, createCallableEndpoints } from '../callable-endpoints.ts';
import type { EndpointTable } from '../endpoint-table.ts';
import type { InferenceCore } from '../inference.ts';
import type { ModelControl } from '../model-control.ts';
import type { RequestMemory } from '../request-memory.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { callerOf, modelNameOf } from './grpc-caller.ts';
import { createGrpcConnections } from './grpc-connections.ts';
import { toStatus } from './grpc-status.ts';
import { createHealthService, healthDescription } from './health-service.ts';
import { createInferCalls } from './infer-calls.ts';
import { createInferenceCalls } from './inference-calls.ts';
import { inferenceService } from './inference-messages.ts';
import { createOpenStreams } from './open-streams.ts';
import { decodeMessage, encodeMessage, type Message } from './proto-message.ts';
import { fullName, toServiceDefinition } from './proto-service.ts';
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

/** At once on one connection; further ones wait at their client. */
const maxCallsOfConnection = 1_000;

export interface GrpcServer {
  /** Takes the address; gives its port. */
  listen(host: string, port: number): Promise<number>;
  /** Ends in order: calls under way are answered, streams end after what they were asked, new calls are refused. */
  stop(withinMs: number): Promise<void>;
}

/** The gRPC listener: Open Inference Protocol v2, health and reflection on one port, without TLS as REST. */
export function createGrpcServer(deps: GrpcServerDeps): GrpcServer {
  const { table, access, logger } = deps;
  const endpoints = createCallableEndpoints({ table, access, placeOf: modelNameOf });
  const streams = createOpenStreams();
  const isReady = (): boolean => deps.unreadiness() === undefined;
  const health = createHealthService({ services: [fullName(inferenceService)], isReady, streams, logger });
  table.onChange(() => health.changed());
  const unary = Object.entries(
    createInferenceCalls({ ...deps, endpoints, models: deps.models(endpoints, access) }),
  ).map(([name, handle]) => {
    const { request, response } = inferenceService.calls[name as keyof typeof inferenceService.calls];
    return [name, toUnaryHandler(request, response, handle as UnaryHandler, logger)] as const;
  });

  const server = new Server({
    'grpc.max_receive_message_length': deps.maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0, // its bookkeeping is paid with each call
    'grpc.max_concurrent_streams': maxCallsOfConnection,
    // who neither reads nor is there any more is found out
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
  const connections = createGrpcConnections(server, deps.maxConnections);
  server.addService(toServiceDefinition(inferenceService), {
    ...Object.fromEntries(unary),
    ...createInferCalls({ ...deps, endpoints, streams, cut: connections.cut }),
  });
  server.addService(toServiceDefinition(healthDescription), health.implementation);
  const told = [inferenceService, healthDescription, ...reflectionServices];
  for (const reflection of reflectionServices)
    server.addService(toServiceDefinition(reflection), createReflectionService(reflection, told, streams, logger));

  return {
    listen: (host, port) => connections.listen(host, port),
    async stop(withinMs) {
      connections.close();
      health.changed();
      streams.end();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, withinMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}

type Answered = Record<string, unknown>;
type UnaryHandler = (request: unknown, caller: ReturnType<typeof callerOf>) => Answered | Promise<Answered>;

function toUnaryHandler(
  request: Message,
  response: Message,
  handle: UnaryHandler,
  logger: Logger,
): UntypedServiceImplementation[string] {
  const handleCall = async (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    try {
      const answered = await handle(decodeMessage(request, call.request), callerOf(call));
      answer(null, encodeMessage<unknown>(response, answered));
    } catch (error) {
      answer(toStatus(error, logger));
    }
  };
  return (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => void handleCall(call, answer);
}
