import type { DeploymentSpec } from '#contracts/deployment-spec';
import { nearestName } from '#contracts/nearest-name';
import type { Logger } from '#platform/log';
import type { FileStore } from '../file-store.ts';
import { servingErrors } from '../serving-errors.ts';
import { findLocalModels } from './find-models.ts';
import type { LocalModel } from './local-model.ts';
import { describeModels } from './local-spec.ts';

/** Where a data plane without a control plane has its spec from: the models at a path. */
export interface LocalSource {
  readonly files: FileStore;
  /** Reads the models and applies them; throws when there is nothing to serve. */
  start(): Promise<readonly LocalModel[]>;
  stop(): Promise<void>;
}

export interface LocalSourceOptions {
  readonly path: string;
  /** Names of those that are served; undefined = all. */
  readonly only: readonly string[] | undefined;
  /** Looks again each `lookMs`, and applies what has changed. */
  readonly watch: boolean;
  readonly apply: (spec: DeploymentSpec) => Promise<void>;
  readonly logger: Logger;
  readonly lookMs?: number;
}

export function createLocalSource({ lookMs = 1_000, ...options }: LocalSourceOptions): LocalSource {
  const { path, only, watch, apply, logger } = options;
  let paths: ReadonlyMap<string, string> = new Map();
  let generation = 0;
  let applied = '';
  let told = '';
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let stopped = false;

  async function look(): Promise<readonly LocalModel[]> {
    const models = choose(await findLocalModels(path), only);
    const { endpoints, paths: found } = await describeModels(models);
    tell(models);
    const text = JSON.stringify(endpoints);
    if (text === applied) return models;
    applied = text;
    paths = new Map([...paths, ...found]); // what is being loaded may be of the spec before
    generation += 1;
    await apply({ version: 1, pool: 'local', epoch: 'local', generation, endpoints: [...endpoints] });
    return models;
  }

  /** Each thing once, as long as it stays. */
  function tell(models: readonly LocalModel[]): void {
    const lines = models.flatMap(({ name, warnings, problem }) => [
      ...warnings.map((warning) => `model "${name}": ${warning}`),
      ...(problem === undefined ? [] : [`model "${name}" is not served: ${problem}`]),
    ]);
    const text = lines.join('\n');
    if (text !== told) for (const line of lines) logger.warn(line);
    told = text;
  }

  async function lookAgain(): Promise<void> {
    await look().catch((error: unknown) => logger.warn({ err: error }, 'the models cannot be read; serving the last'));
    if (!stopped) plan();
  }

  function plan(): void {
    timer = setTimeout(() => {
      looking = lookAgain();
    }, lookMs);
    timer.unref();
  }

  return {
    files: {
      async materialise([main]) {
        const found = main && paths.get(main.digest);
        if (found === undefined) throw servingErrors.LOCAL_MODELS_MISSING(path, 'the file has been replaced meanwhile');
        return found;
      },
      assertWhole: async () => undefined,
      async collect(revisions) {
        const needed = new Set(revisions.flatMap(({ files }) => files.map(({ digest }) => digest)));
        paths = new Map([...paths].filter(([digest]) => needed.has(digest)));
      },
    },
    async start() {
      const models = await look();
      if (watch) plan();
      return models;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

function choose(models: readonly LocalModel[], only: readonly string[] | undefined): readonly LocalModel[] {
  if (only === undefined) return models;
  const names = models.map(({ name }) => name);
  for (const name of only)
    if (!names.includes(name)) throw servingErrors.LOCAL_MODEL_UNKNOWN(name, names, nearestName(name, names));
  return models.filter(({ name }) => only.includes(name));
}
