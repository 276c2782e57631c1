import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { DeploymentSpec } from '#contracts/deployment-spec';
import type { ReplicaReport } from '#contracts/replica-report';
import { systemClock } from '#platform/clock';
import { systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import { createAccess } from './access.ts';
import { createCallableEndpoints } from './callable-endpoints.ts';
import { createControlClient } from './control-client.ts';
import { createEndpointTable } from './endpoint-table.ts';
import { createFileStore } from './file-store.ts';
import type { GrpcServer, GrpcServerDeps } from './grpc/grpc-server.ts';
import { createInferenceCore } from './inference.ts';
import { openLastGood } from './last-good.ts';
import { loadRevision } from './live-revision.ts';
import { formatMetrics } from './metrics-text.ts';
import { createManagedModels } from './model-control.ts';
import { createModelMemory } from './model-memory.ts';
import { buildReport } from './report.ts';
import { createReporter } from './reporter.ts';
import { createRestServer } from './rest/rest-server.ts';
import { placeOf } from './rest/server-routes.ts';
import { createRuntimeSet } from './runtime-set.ts';
import type { ServingOptions } from './serving-options.ts';
import { createShadowQueue } from './shadows.ts';
import { createSpecClient } from './spec-client.ts';
import { openSpool } from './spool.ts';
import { createSpoolDelivery } from './spool-delivery.ts';

export interface DataPlane {
  readonly url: string;
  /** `host:port` of gRPC; undefined when that is off. */
  readonly grpcAddress: string | undefined;
  readonly boot: string;
  /** Lets requests under way end, ships what it can in `drainMs`, closes. */
  stop(): Promise<void>;
}

/** Builds and starts the data plane: listener first, so that liveness answers while models load. */
export async function startDataPlane(options: ServingOptions, logger: Logger): Promise<DataPlane> {
  const { home, replica, pool } = options;
  const ids = systemIds;
  const boot = ids.next();
  const client = createControlClient({ url: options.controlUrl, token: options.token });
  const spool = await openSpool({ folder: join(home, 'spool', replica), epoch: boot, limits: options.spool, logger });
  const files = await createFileStore({ folder: join(home, 'files'), client });
  const runtimes = createRuntimeSet({
    folder: join(home, 'workers'),
    pythonFolder: options.pythonFolder ?? join(home, 'python'),
    python: options.python,
    environment: process.env,
    logger,
  });
  const memory = createModelMemory({ budgetBytes: options.memoryBytes, logger });
  const lastGood = await openLastGood(join(home, 'last-good.json'), pool, logger);
  const table = createEndpointTable({
    files,
    logger,
    lastGood,
    load: async (spec, endpoint, record) =>
      loadRevision({ spec, endpoint, record, files, runtime: await runtimes.get(spec.runtime), memory, logger }),
  });
  const shadows = createShadowQueue({ spool, ids, logger });
  const core = createInferenceCore({ spool, shadows, ids });
  const delivery = createSpoolDelivery({
    spool,
    client,
    replica,
    refusedFolder: join(home, 'refused'),
    logger,
    paceMs: options.deliverEveryMs,
    chunkBytes: 4 * 1024 ** 2,
  });

  let draining = false;
  let flushed = 0;
  let flushing = 0;
  let sequence = 0;
  const report = (): ReplicaReport => {
    sequence += 1;
    return buildReport({
      replica,
      pool,
      boot,
      sequence,
      programVersion: options.programVersion,
      state: draining ? 'draining' : table.settled ? 'ready' : 'starting',
      flushed,
      nowMs: systemClock.nowMs(),
      table,
      spool,
    });
  };
  const reporter = createReporter({ client, replica, build: report, everyMs: options.reportEveryMs, logger });
  table.onChange(() => reporter.nudge());

  /** Everything answered before the spec asked is in the spool or still a shadow: wait for those, ship, report. */
  async function flush(generation: number): Promise<void> {
    if (generation <= flushing) return;
    flushing = generation;
    await shadows.idle();
    await delivery.flush();
    flushed = Math.max(flushed, generation);
    await reporter.reportNow();
  }

  const apply = (spec: DeploymentSpec) => {
    table.apply(spec).catch((error: unknown) => logger.error({ err: error }, 'a spec could not be applied'));
    if (spec.flush !== undefined)
      flush(spec.flush).catch((error: unknown) => logger.error({ err: error }, 'a flush failed'));
  };
  const specs = createSpecClient({ client, pool, path: join(home, 'spec.json'), logger, apply });

  const access = createAccess({ host: options.host, allowedHosts: options.allowedHosts, clock: systemClock });
  const listening = {
    core,
    clock: systemClock,
    programVersion: options.programVersion,
    draining: () => draining,
    unreadiness: () => (draining ? 'the server is stopping' : table.settled ? undefined : 'no spec is in force yet'),
  };
  const endpoints = createCallableEndpoints({ table, access, placeOf });
  const server = createRestServer(
    {
      ...listening,
      endpoints,
      models: createManagedModels(endpoints),
      maxBodyBytes: options.maxBodyBytes,
      metrics: (served) => formatMetrics(served, spool, memory),
    },
    logger,
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  const grpc = await listenForGrpc(options, { ...listening, table, access, logger });
  await specs.start();
  delivery.start();
  reporter.start();
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;

  return {
    url: `http://${host}:${port}`,
    grpcAddress: grpc && `${host}:${grpc.port}`,
    boot,
    async stop() {
      draining = true;
      await specs.stop();
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.all([within(options.drainMs, closed), grpc?.stop(options.drainMs)]);
      server.closeAllConnections();
      await within(options.drainMs, shadows.idle());
      await within(options.drainMs, delivery.flush());
      await delivery.stop();
      await reporter.stop();
      await within(1_000, reporter.reportNow());
      client.close(); // ends what is still being fetched
      memory.close();
      await table.close();
      await lastGood.close();
      await runtimes.close();
      await spool.close();
    },
  };
}

/** Its library is loaded when it is wanted. */
async function listenForGrpc(
  { host, grpcPort, grpcMaxMessageBytes }: ServingOptions,
  deps: Omit<GrpcServerDeps, 'maxMessageBytes'>,
): Promise<(GrpcServer & { readonly port: number }) | undefined> {
  if (grpcPort === undefined) return undefined;
  const { createGrpcServer } = await import('./grpc/grpc-server.ts');
  const server = createGrpcServer({ ...deps, maxMessageBytes: grpcMaxMessageBytes });
  return { ...server, port: await server.listen(host, grpcPort) };
}

function within(ms: number, work: Promise<void>): Promise<void> {
  return Promise.race([work, new Promise<void>((resolve) => void setTimeout(resolve, ms).unref())]);
}
