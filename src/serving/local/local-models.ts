import type { SpecEndpoint } from '#contracts/deployment-spec';
import { nearestName } from '#contracts/nearest-name';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import type { Access, Caller } from '../access.ts';
import type { CallableEndpoints } from '../callable-endpoints.ts';
import type { EndpointTable } from '../endpoint-table.ts';
import type { ModelControl } from '../model-control.ts';
import { servingErrors } from '../serving-errors.ts';
import type { FoundModel, ModelSource } from './model-source.ts';

/** The project of models that have none. */
export const localProject = 'default';

/**
 * Decides without a control plane what is served: those of the source's models that were chosen at the start, and from
 * then on what callers ask to be loaded and unloaded. Each model of the source is an endpoint, with no revision unless it
 * is wanted, so that the index names what could be loaded.
 */
export interface LocalModels {
  /** Reads the models and applies them; throws when there is nothing to serve. */
  start(): Promise<void>;
  control(endpoints: CallableEndpoints, access: Access): ModelControl;
  stop(): Promise<void>;
}

export interface LocalModelsOptions {
  readonly source: ModelSource;
  /** Names of those that are served from the start; undefined = all. */
  readonly only: readonly string[] | undefined;
  /** Looks again each `lookMs`, and applies what has changed. */
  readonly watch: boolean;
  readonly lookMs: number;
  /** Those that callers may show; none = whoever reaches the port may ask. */
  readonly tokens: SpecEndpoint['access']['tokens'];
  readonly table: EndpointTable;
  readonly logger: Logger;
}

export function createLocalModels(options: LocalModelsOptions): LocalModels {
  const { source, only, watch, lookMs, tokens, table, logger } = options;
  const shown = new Map<string, FoundModel>();
  /** What callers asked for: true = loaded. */
  const asked = new Map<string, boolean>();
  let generation = 0;
  let applied = '';
  let told = '';
  let failure = '';
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let stopped = false;

  const isWanted = (name: string): boolean => asked.get(name) ?? only?.includes(name) ?? true;

  /** Resolves when all of it is in force, as far as it can be. */
  async function apply(): Promise<void> {
    const endpoints = [...shown.values()].map((model): SpecEndpoint => {
      const revisions = isWanted(model.name) ? [...model.revisions] : [];
      return {
        project: localProject,
        name: model.name,
        access: { tokens },
        // the newest has all of the traffic, the others answer to those that name them
        traffic: revisions.slice(-1).map(({ id }) => ({ revision: id, basisPoints: 10_000 })),
        shadows: [],
        capture: { enabled: false },
        ...(model.instances !== undefined && { workers: { count: model.instances } }),
        revisions,
      };
    });
    const text = JSON.stringify(endpoints);
    if (text === applied) return;
    applied = text;
    generation += 1;
    await table.apply({ version: 1, pool: 'local', epoch: 'local', generation, endpoints });
  }

  /** Takes effect in this turn: the endpoints tell how far it has come. */
  function applySoon(): void {
    apply().catch((error: unknown) => logger.error({ err: error }, 'what was asked for could not be applied'));
  }

  function show(models: readonly FoundModel[]): void {
    shown.clear();
    for (const model of models) shown.set(model.name, model);
    tell(models.filter(({ name }) => isWanted(name)));
  }

  /** Each thing once, as long as it stays. */
  function tell(models: readonly FoundModel[]): void {
    const lines = models.flatMap(({ name, warnings, problem }) => [
      ...warnings.map((warning) => `model "${name}": ${warning}`),
      ...(problem === undefined ? [] : [`model "${name}" is not served: ${problem}`]),
    ]);
    const text = lines.join('\n');
    if (text !== told) for (const line of lines) logger.warn(line);
    told = text;
  }

  function listIfAny(): Promise<readonly FoundModel[]> {
    return source.list().catch((error: unknown) => {
      if (isAppError(error, 'LOCAL_FOLDER_EMPTY')) return [];
      throw error;
    });
  }

  /** Where something is served, a folder that is empty of a sudden is being replaced. */
  const list = () => (only?.length === 0 ? listIfAny() : source.list());

  async function lookAgain(): Promise<void> {
    try {
      show(await list());
      await apply();
      failure = '';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== failure) logger.warn(`${source.from} cannot be read, what was there last is served: ${reason}`);
      failure = reason;
    }
    if (!stopped) plan();
  }

  function plan(): void {
    timer = setTimeout(() => {
      looking = lookAgain();
    }, lookMs);
    timer.unref();
  }

  async function load(name: string): Promise<void> {
    const found = (await listIfAny()).find((model) => model.name === name);
    if (found === undefined) return; // whoever asked is told so
    shown.set(name, found);
    if (found.problem !== undefined) throw servingErrors.LOCAL_MODEL_FAILED(name, found.problem);
    asked.set(name, true);
    tell([...shown.values()].filter((model) => isWanted(model.name)));
    const known = table.find(localProject, name);
    if (known?.state === 'failed' || known?.state === 'degraded') {
      known.forgive();
      applied = '';
    }
    applySoon();
    const endpoint = table.find(localProject, name);
    await endpoint?.settled();
    if (endpoint?.error !== undefined) throw servingErrors.LOCAL_MODEL_FAILED(name, endpoint.error);
  }

  async function unload(name: string): Promise<void> {
    asked.set(name, false);
    applySoon();
    await table.find(localProject, name)?.drained();
  }

  return {
    async start() {
      const models = await list();
      const names = models.map(({ name }) => name);
      for (const name of only ?? [])
        if (!names.includes(name)) throw servingErrors.LOCAL_MODEL_UNKNOWN(name, names, nearestName(name, names));
      refuseWhenAllFail(models.filter(({ name }) => isWanted(name)));
      show(models);
      await apply();
      if (watch && source.changes) plan();
    },
    control(endpoints, access) {
      /** Before anything is read from disk. */
      const check = (project: string, model: string, caller: Caller) => {
        access.check({ tokens }, caller);
        if (project !== localProject) endpoints.find(project, model, caller); // which there is not
      };
      return {
        byRequest: true,
        async load(project, model, caller) {
          check(project, model, caller);
          await load(model);
          endpoints.find(project, model, caller);
        },
        async unload(project, model, caller) {
          check(project, model, caller);
          endpoints.find(project, model, caller);
          await unload(model);
        },
        absence: (_project, model) =>
          shown.get(model)?.problem ?? (asked.get(model) === false ? 'unloaded' : 'not loaded'),
      };
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

/** That none of those that are wanted can be served is a mistake of who starts it. */
function refuseWhenAllFail(wanted: readonly FoundModel[]): void {
  const [first] = wanted;
  if (first?.problem !== undefined && wanted.every(({ problem }) => problem !== undefined))
    throw servingErrors.LOCAL_MODEL_FAILED(first.name, first.problem);
}
