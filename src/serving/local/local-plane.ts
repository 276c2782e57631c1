import { join } from 'node:path';
import { systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import type { SklearnChecks } from '#runtimes/python/python-runtime';
import type { EndpointTable } from '../endpoint-table.ts';
import { type Listeners, type ListenOptions, openListeners } from '../listeners.ts';
import { createFixedModels } from '../model-control.ts';
import { openServingEngine } from '../serving-engine.ts';
import { servingErrors } from '../serving-errors.ts';
import { defaultSpoolLimits, openSpool } from '../spool.ts';
import { tellFailures } from '../tell-failures.ts';
import { createLocalModels } from './local-models.ts';
import type { ModelSource } from './model-source.ts';
import { tellSwaps } from './tell-swaps.ts';

export interface LocalPlaneOptions extends ListenOptions {
  readonly source: ModelSource;
  /** Names of those that are served from the start; undefined = all. */
  readonly only: readonly string[] | undefined;
  readonly watch: boolean;
  /** Default 1,000. */
  readonly lookMs?: number;
  /** Whether callers may load and unload models. */
  readonly modelControl: boolean;
  /** Digests of the tokens of which callers must show one; none = whoever reaches the port may ask. */
  readonly tokenDigests: readonly string[];
  readonly memoryBytes: number | undefined;
  readonly pythonFolder: string | undefined;
  readonly python: string | undefined;
  readonly sklearnChecks?: SklearnChecks | undefined;
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
  const { files, mayLeaveFolder } = options.source;
  const engine = await openServingEngine({ ...options, pool: 'local', mayLeaveFolder, files, spool, ids });
  const { table } = engine;
  const tokens = options.tokenDigests.map((digest, at) => ({ digest, principal: `token:${at + 1}` }));
  const models = createLocalModels({ lookMs: 1_000, ...options, tokens, table });
  // Both at once: gRPC's library is read while the first model loads, and who asks whether the process lives is told so.
  const started = models.start();
  const listening = openListeners(
    { ...options, openToAll: true },
    {
      engine,
      spool,
      logger,
      instance: 'local',
      notSettled: 'models are being loaded',
      models(endpoints, access) {
        const control = models.control(endpoints, access);
        return options.modelControl ? control : createFixedModels(endpoints, control);
      },
    },
  );
  const close = async () => {
    const listeners = await listening.catch(() => undefined);
    await listeners?.stop(drainMs);
    await models.stop();
    await engine.close();
    await spool.close();
    await options.source.close();
  };
  try {
    const [listeners] = await Promise.all([listening, started]);
    refuseWhenNothingAnswers(table);
    tellFailures(table, logger);
    tellSwaps(table, logger);
    return {
      url: listeners.url,
      grpcAddress: listeners.grpcAddress,
      models: table.list().flatMap(({ name, serving }) => {
        const versions = [...(serving?.revisions.values() ?? [])].map(({ version }) => version);
        return versions.length === 0 ? [] : [{ name, versions }];
      }),
      stop: close,
    };
  } catch (error) {
    await started.catch(() => undefined);
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
