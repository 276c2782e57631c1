import { isAppError } from '#platform/errors';
import { concatenate } from '#runtimes/batch-tensors';
import type { LoadedModel } from '#runtimes/runtime';
import type { ModelMemory, Tenant } from './model-memory.ts';
import { servingErrors } from './serving-errors.ts';

/** After a model could not be loaded again, those who ask within this time hear the same reason. */
const reloadPauseMs = 1_000;

/**
 * A model that may be away from memory between requests:
 *
 *   loaded ──(evicted)──► away ──(ensure: one load for all who wait)──► loaded
 *                           ▲──────────(failed: all who wait hear why)────┘
 */
export interface ResidentModel {
  /** What a batcher runs; it must be loaded when it is. */
  readonly model: LoadedModel;
  readonly isLoaded: boolean;
  /** Resolves when it is loaded. Who waits must count as busy until it has been run. */
  ensure(): Promise<void>;
  /** How often it was loaded again. */
  readonly reloads: number;
  /** Unloads it for good. */
  close(): Promise<void>;
}

export interface ResidentOptions {
  readonly name: string;
  /** What it will hold, until the runtime says so. */
  readonly estimatedBytes: number;
  readonly memory: ModelMemory;
  readonly load: () => Promise<LoadedModel>;
  readonly isPinned: () => boolean;
  readonly idleMs: () => number | undefined;
  readonly isBusy: () => boolean;
}

/** Loads it for the first time. */
export async function openResidentModel(options: ResidentOptions): Promise<ResidentModel> {
  const { memory, load } = options;
  let current: LoadedModel | undefined;
  let loading: Promise<void> | undefined;
  let leaving: Promise<void> = Promise.resolve();
  let failure: { readonly error: Error; readonly atMs: number } | undefined;
  let lastUsedMs = performance.now();
  let reloads = 0;
  let bytes = options.estimatedBytes;

  const tenant: Tenant = {
    name: options.name,
    get bytes() {
      return bytes;
    },
    get lastUsedMs() {
      return lastUsedMs;
    },
    get isPinned() {
      return options.isPinned();
    },
    get isBusy() {
      return current === undefined || options.isBusy();
    },
    get idleMs() {
      return options.idleMs();
    },
    evict() {
      const leaver = current;
      current = undefined;
      leaving = leaver?.unload() ?? Promise.resolve();
      return leaving;
    },
  };

  async function bring(): Promise<LoadedModel> {
    await leaving.catch(() => undefined); // was logged where it was put out
    const ended = await memory.enter(tenant);
    try {
      const model = await load();
      bytes = model.memoryBytes ?? bytes;
      lastUsedMs = performance.now();
      current = model;
      return model;
    } catch (error) {
      memory.leave(tenant);
      throw error;
    } finally {
      ended();
    }
  }

  async function reload(): Promise<void> {
    try {
      await bring();
      reloads += 1;
      failure = undefined;
    } catch (cause) {
      const reason = isAppError(cause) ? cause.message : String(cause);
      const error = servingErrors.MODEL_NOT_RELOADED(options.name, reason);
      failure = { error, atMs: performance.now() };
      throw error;
    } finally {
      loading = undefined;
    }
  }

  const first = await bring();

  function inUse(): LoadedModel {
    if (current === undefined) throw servingErrors.MODEL_NOT_RELOADED(options.name, 'it is not in memory');
    lastUsedMs = performance.now();
    return current;
  }

  const predictTogether: LoadedModel['predictTogether'] = async (requests, ...rest) => {
    const model = inUse();
    return model.predictTogether?.(requests, ...rest) ?? model.predict(concatenate(requests), ...rest);
  };

  return {
    model: {
      signature: first.signature,
      ...(first.droppedOutputs !== undefined && { droppedOutputs: first.droppedOutputs }),
      get parallelism() {
        return current?.parallelism ?? 1;
      },
      takesParameters: first.takesParameters === true,
      takesKeys: first.takesKeys === true,
      schedules: first.schedules === true,
      async predict(...asked) {
        return inUse().predict(...asked);
      },
      ...(first.predictTogether !== undefined && { predictTogether }),
      unload: () => Promise.resolve(),
    },
    get isLoaded() {
      return current !== undefined;
    },
    get reloads() {
      return reloads;
    },
    ensure() {
      if (current !== undefined) return Promise.resolve();
      if (failure !== undefined && performance.now() - failure.atMs < reloadPauseMs)
        return Promise.reject(failure.error);
      loading ??= reload();
      return loading;
    },
    async close() {
      await loading?.catch(() => undefined);
      memory.leave(tenant);
      await tenant.evict();
    },
  };
}
