import { join } from 'node:path';
import { systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import type { EndpointTable } from '../endpoint-table.ts';
import { type Listeners, type ListenOptions, openListeners } from '../listeners.ts';
import { createManagedModels } from '../model-control.ts';
import { openServingEngine } from '../serving-engine.ts';
import { servingErrors } from '../serving-errors.ts';
import { defaultSpoolLimits, openSpool } from '../spool.ts';
import { createLocalSource } from './local-source.ts';

export interface LocalPlaneOptions extends ListenOptions {
  /** A model, or a folder of models (find-models.ts). */
  readonly path: string;
  /** Names of those that are served; undefined = all. */
  readonly only: readonly string[] | undefined;
  readonly watch: boolean;
  readonly memoryBytes: number | undefined;
  readonly pythonFolder: string | undefined;
  readonly python: string | undefined;
  readonly home: string;
  readonly logger: Logger;
}

export interface LocalPlane extends Pick<Listeners, 'url' | 'grpcAddress'> {
  /** Those that answer now. */
  readonly models: readonly { readonly name: string; readonly versions: readonly string[] }[];
  stop(): Promise<void>;
}

const drainMs = 5_000;

/** A data plane that knows no control plane: it serves what lies on disk, and records nothing. */
export async function startLocalPlane(options: LocalPlaneOptions): Promise<LocalPlane> {
  const { home, logger } = options;
  const ids = systemIds;
  const spool = await openSpool({ folder: join(home, 'spool'), epoch: ids.next(), limits: defaultSpoolLimits, logger });
  const source = createLocalSource({ ...options, apply: (spec) => engine.table.apply(spec) });
  const engine = await openServingEngine({ ...options, pool: 'local', files: source.files, spool, ids });
  const close = async () => {
    await source.stop();
    await engine.close();
    await spool.close();
  };
  try {
    await source.start();
    refuseWhenNothingAnswers(engine.table);
    const listeners = await openListeners(options, {
      engine,
      spool,
      logger,
      instance: 'local',
      notSettled: 'models are being loaded',
      models: createManagedModels,
    });
    return {
      url: listeners.url,
      grpcAddress: listeners.grpcAddress,
      models: engine.table.list().flatMap(({ name, serving }) => {
        const versions = [...(serving?.revisions.values() ?? [])].map(({ version }) => version);
        return versions.length === 0 ? [] : [{ name, versions }];
      }),
      async stop() {
        await listeners.stop(drainMs);
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A start at which no model answers is a mistake of the one who starts it. */
function refuseWhenNothingAnswers(table: EndpointTable): void {
  const failed = table.list().find(({ serving, error }) => serving === undefined && error !== undefined);
  if (failed !== undefined && table.list().every(({ serving }) => serving === undefined))
    throw servingErrors.LOCAL_MODEL_FAILED(failed.name, failed.error ?? '');
}
