import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '#platform/clock';
import { systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import { createOnnxThreadRuntime } from '#runtimes/onnx';
import { createAccess } from '../access.ts';
import { createEndpointTable, type EndpointTable } from '../endpoint-table.ts';
import { createServingHttpServer } from '../http-server.ts';
import { createInferenceCore } from '../inference.ts';
import { openLastGood } from '../last-good.ts';
import { loadRevision } from '../live-revision.ts';
import { formatMetrics } from '../metrics-text.ts';
import { createModelMemory } from '../model-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { createShadowQueue } from '../shadows.ts';
import { defaultSpoolLimits, openSpool } from '../spool.ts';
import { createLocalSource } from './local-source.ts';

export interface LocalPlaneOptions {
  /** A model, or a folder of models (find-models.ts). */
  readonly path: string;
  /** Names of those that are served; undefined = all. */
  readonly only: readonly string[] | undefined;
  readonly watch: boolean;
  readonly host: string;
  readonly port: number;
  readonly memoryBytes: number | undefined;
  readonly home: string;
  readonly programVersion: string;
  readonly logger: Logger;
}

export interface LocalPlane {
  readonly url: string;
  /** Those that answer now. */
  readonly models: readonly { readonly name: string; readonly versions: readonly string[] }[];
  stop(): Promise<void>;
}

/** A data plane that knows no control plane: it serves what lies on disk, and records nothing. */
export async function startLocalPlane(options: LocalPlaneOptions): Promise<LocalPlane> {
  const { home, logger } = options;
  const ids = systemIds;
  const spool = await openSpool({ folder: join(home, 'spool'), epoch: ids.next(), limits: defaultSpoolLimits, logger });
  const runtime = createOnnxThreadRuntime();
  const memory = createModelMemory({ budgetBytes: options.memoryBytes, logger });
  const source = createLocalSource({ ...options, apply: (spec) => table.apply(spec) });
  const table = createEndpointTable({
    files: source.files,
    logger,
    lastGood: await openLastGood(join(home, 'last-good.json'), 'local', logger),
    load: (spec, endpoint, record) =>
      loadRevision({ spec, endpoint, record, files: source.files, runtime, memory, logger }),
  });
  const shadows = createShadowQueue({ spool, ids, logger });
  let draining = false;
  const server = createServingHttpServer({
    table,
    core: createInferenceCore({ spool, shadows, ids }),
    access: createAccess({ host: options.host, allowedHosts: [], clock: systemClock }),
    clock: systemClock,
    logger,
    programVersion: options.programVersion,
    draining: () => draining,
    unreadiness: () => (draining ? 'the server is stopping' : table.settled ? undefined : 'models are being loaded'),
    metrics: (endpoints) => formatMetrics(endpoints, spool, memory),
  });
  await source.start();
  refuseWhenNothingAnswers(table);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    models: table
      .list()
      .flatMap(({ name, serving }) =>
        serving === undefined
          ? []
          : [{ name, versions: [...serving.revisions.values()].map(({ version }) => version) }],
      ),
    async stop() {
      draining = true;
      await source.stop();
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.race([closed, new Promise<void>((resolve) => void setTimeout(resolve, 5_000).unref())]);
      server.closeAllConnections();
      memory.close();
      await table.close();
      await runtime.close();
      await spool.close();
    },
  };
}

/** A start at which no model answers is a mistake of the one who starts it. */
function refuseWhenNothingAnswers(table: EndpointTable): void {
  const failed = table.list().find(({ serving, error }) => serving === undefined && error !== undefined);
  if (failed !== undefined && table.list().every(({ serving }) => serving === undefined))
    throw servingErrors.LOCAL_MODEL_FAILED(failed.name, failed.error ?? '');
}
