import type { AddressInfo } from 'node:net';
import { systemClock } from '#platform/clock';
import { systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import { type Access, createAccess } from './access.ts';
import { type CallableEndpoints, createCallableEndpoints } from './callable-endpoints.ts';
import type { GrpcServer, GrpcServerDeps } from './grpc/grpc-server.ts';
import { formatMetrics } from './metrics-text.ts';
import type { ModelControl } from './model-control.ts';
import { createRequestMemory } from './request-memory.ts';
import { createRestServer } from './rest/rest-server.ts';
import { placeOf } from './rest/server-routes.ts';
import type { ServingEngine } from './serving-engine.ts';
import type { Spool } from './spool.ts';
import { type OtelVariables, openTracing } from './tracing/tracing.ts';

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined: no gRPC. */
  readonly grpcPort: number | undefined;
  readonly grpcMaxMessageBytes: number;
  readonly maxBodyBytes: number;
  /** What requests and answers under way may hold together; default 256 MiB. */
  readonly requestMemoryBytes?: number;
  /** Of each listener; further ones are closed at once. Default 8,192. */
  readonly maxConnections?: number;
  /** Names beside the bound host by which callers may address it. */
  readonly allowedHosts: readonly string[];
  /** A model without tokens answers callers of other machines too; default: on a loopback address alone. */
  readonly openToAll?: boolean;
  readonly programVersion: string;
  /** OpenTelemetry's variables; default: none, and nothing is traced. */
  readonly otel?: OtelVariables;
}

/** An idle one costs some 10 KB, and each a file descriptor, of which the spool and models need theirs. */
export const defaultMaxConnections = 8_192;

export interface Listeners {
  readonly url: string;
  /** `host:port` of gRPC; undefined when that is off. */
  readonly grpcAddress: string | undefined;
  readonly draining: boolean;
  /** From now on new calls are refused, those under way are answered, for so long at most. */
  stop(drainMs: number): Promise<void>;
}

/** How long a stop waits for the last spans to be sent. */
const maxTracingMs = 1_000;

/** REST and gRPC over one engine. */
export async function openListeners(
  options: ListenOptions,
  deps: {
    readonly engine: ServingEngine;
    readonly spool: Spool;
    readonly logger: Logger;
    /** Tells this process from others of its kind, where its traces go. */
    readonly instance: string;
    /** Why models are not there yet. */
    readonly notSettled: string;
    readonly models: (endpoints: CallableEndpoints, access: Access) => ModelControl;
  },
): Promise<Listeners> {
  const { engine, spool, logger } = deps;
  const { table, core, memory } = engine;
  let draining = false;
  const access = createAccess({ ...options, clock: systemClock });
  const { programVersion } = options;
  const tracing = await openTracing(options.otel ?? {}, {
    ids: systemIds,
    logger,
    programVersion,
    instance: deps.instance,
  });
  const listening = {
    core,
    tracing,
    clock: systemClock,
    programVersion,
    draining: () => draining,
    unreadiness: () => (draining ? 'the server is stopping' : table.settled ? undefined : deps.notSettled),
  };
  const endpoints = createCallableEndpoints({ table, access, placeOf });
  const requests = createRequestMemory(options.requestMemoryBytes);
  const rest = createRestServer(
    {
      ...listening,
      endpoints,
      models: deps.models(endpoints, access),
      maxBodyBytes: options.maxBodyBytes,
      memory: requests,
      metrics: (served) => formatMetrics(served, { spool, memory, requests, tracing }),
    },
    logger,
  );
  const { server } = rest;
  server.maxConnections = options.maxConnections ?? defaultMaxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  const grpc = await listenForGrpc(options, {
    ...listening,
    table,
    access,
    models: deps.models,
    logger,
    memory: requests,
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    grpcAddress: grpc && `${host}:${grpc.port}`,
    get draining() {
      return draining;
    },
    async stop(drainMs) {
      draining = true;
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      rest.closeIdle();
      await Promise.all([within(drainMs, closed), grpc?.stop(drainMs)]);
      rest.closeAll();
      requests.close();
      await tracing?.stop(maxTracingMs);
    },
  };
}

/** Its library is loaded when it is wanted. */
async function listenForGrpc(
  { host, grpcPort, grpcMaxMessageBytes, maxConnections = defaultMaxConnections }: ListenOptions,
  deps: Omit<GrpcServerDeps, 'maxMessageBytes' | 'maxConnections'>,
): Promise<(GrpcServer & { readonly port: number }) | undefined> {
  if (grpcPort === undefined) return undefined;
  const { createGrpcServer } = await import('./grpc/grpc-server.ts');
  const server = createGrpcServer({ ...deps, maxMessageBytes: grpcMaxMessageBytes, maxConnections });
  return { ...server, port: await server.listen(host, grpcPort) };
}

/** Waits for some work, so long at most. */
export function within(ms: number, work: Promise<void>): Promise<void> {
  return Promise.race([work, new Promise<void>((resolve) => void setTimeout(resolve, ms).unref())]);
}
