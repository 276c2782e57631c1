import { join } from 'node:path';
import type { DeploymentSpec } from '#contracts/deployment-spec';
import type { ReplicaReport } from '#contracts/replica-report';
import { systemClock } from '#platform/clock';
import { systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import { createControlClient } from './control-client.ts';
import { createFileStore, filesOfPool } from './file-store.ts';
import { type Listeners, openListeners, within } from './listeners.ts';
import { createManagedModels } from './model-control.ts';
import { buildReport } from './report.ts';
import { createReporter } from './reporter.ts';
import { openServingEngine } from './serving-engine.ts';
import type { ServingOptions } from './serving-options.ts';
import { createSpecClient } from './spec-client.ts';
import { openSpool } from './spool.ts';
import { createSpoolDelivery } from './spool-delivery.ts';
import { tellFailures } from './tell-failures.ts';

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
  const files = await createFileStore({ folder: join(home, 'files'), open: filesOfPool(client) });
  const engine = await openServingEngine({ ...options, files, spool, ids, logger });
  const { table, shadows } = engine;
  const delivery = createSpoolDelivery({
    spool,
    client,
    replica,
    refusedFolder: join(home, 'refused'),
    logger,
    paceMs: options.deliverEveryMs,
    chunkBytes: 8 * 1024 ** 2,
  });

  let listeners: Listeners | undefined;
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
      state: listeners?.draining === true ? 'draining' : table.settled ? 'ready' : 'starting',
      flushed,
      nowMs: systemClock.nowMs(),
      table,
      spool,
    });
  };
  const reporter = createReporter({ client, replica, build: report, everyMs: options.reportEveryMs, logger });
  table.onChange(() => reporter.nudge());
  tellFailures(table, logger);

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

  const listening = await openListeners(options, {
    engine,
    spool,
    logger,
    instance: replica,
    notSettled: 'no spec is in force yet',
    models: createManagedModels,
  });
  listeners = listening;
  await specs.start();
  delivery.start();
  reporter.start();

  return {
    url: listening.url,
    grpcAddress: listening.grpcAddress,
    boot,
    async stop() {
      const stopped = listening.stop(options.drainMs); // from now on it is draining
      await Promise.all([specs.stop(), stopped]);
      await within(options.drainMs, shadows.idle());
      await within(options.drainMs, delivery.flush());
      await delivery.stop();
      await reporter.stop();
      await within(1_000, reporter.reportNow());
      client.close(); // ends what is still being fetched
      await engine.close();
      await spool.close();
    },
  };
}
