import type { Logger } from '#platform/log';

/** A model as the budget sees it. */
export interface Tenant {
  readonly name: string;
  readonly bytes: number;
  /** performance.now() of its last run. */
  readonly lastUsedMs: number;
  /** Never put out to make room. */
  readonly isPinned: boolean;
  /** Has requests: not put out now. */
  readonly isBusy: boolean;
  /** How long it may go unused; undefined = for ever. */
  readonly idleMs: number | undefined;
  evict(): Promise<void>;
}

/**
 * What the models of this process may hold in memory together. Room for a model is made by putting out those that were
 * not used for longest; one that is pinned or has requests stays, so the budget is passed for as long as all are, and
 * what can go then goes within `sweepMs`. Models for which there is no room yet wait for those that are being loaded, so that
 * hundreds that come at once do not pass it together. Models that their endpoint wants gone when idle leave by the same sweep.
 */
export interface ModelMemory {
  readonly usedBytes: number;
  readonly budgetBytes: number | undefined;
  /** Counts `tenant` from now on, after room was made for it. The function is to be called when its load has ended. */
  enter(tenant: Tenant): Promise<() => void>;
  leave(tenant: Tenant): void;
  close(): void;
}

const sweepMs = 250;

export function createModelMemory(options: {
  readonly budgetBytes: number | undefined;
  readonly logger: Logger;
}): ModelMemory {
  const { budgetBytes, logger } = options;
  const tenants = new Set<Tenant>();
  /** Models that are being loaded, and those that wait for one of them. */
  let loading = 0;
  const waiting: (() => void)[] = [];
  const used = () => {
    let total = 0;
    for (const { bytes } of tenants) total += bytes;
    return total;
  };

  async function evict(tenant: Tenant, why: string): Promise<void> {
    tenants.delete(tenant);
    logger.debug({ model: tenant.name, bytes: tenant.bytes }, why);
    await tenant.evict().catch((error: unknown) => logger.error({ err: error }, 'a model could not be unloaded'));
  }

  function longestUnused(except: Tenant | undefined): Tenant | undefined {
    let found: Tenant | undefined;
    for (const tenant of tenants) {
      if (tenant === except || tenant.isPinned || tenant.isBusy) continue;
      if (found === undefined || tenant.lastUsedMs < found.lastUsedMs) found = tenant;
    }
    return found;
  }

  async function makeRoom(tenant: Tenant | undefined): Promise<void> {
    if (budgetBytes === undefined) return;
    const leaving: Promise<void>[] = [];
    while (used() > budgetBytes) {
      const victim = longestUnused(tenant);
      if (victim === undefined) break;
      leaving.push(evict(victim, 'a model leaves the memory to make room'));
    }
    await Promise.all(leaving);
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const tenant of tenants)
      if (
        tenant.idleMs !== undefined &&
        !tenant.isPinned &&
        !tenant.isBusy &&
        nowMs - tenant.lastUsedMs > tenant.idleMs
      )
        void evict(tenant, 'a model leaves the memory because nobody asks for it');
    void makeRoom(undefined);
  }, sweepMs);
  timer.unref();

  return {
    get usedBytes() {
      return used();
    },
    budgetBytes,
    async enter(tenant) {
      for (let isIn = false; !isIn; ) {
        // All in one turn: of many that come at once each sees what those before it have taken, and no more.
        tenants.add(tenant);
        const made = makeRoom(tenant);
        isIn = budgetBytes === undefined || used() <= budgetBytes || loading === 0;
        if (isIn) loading += 1;
        else tenants.delete(tenant);
        if (isIn && budgetBytes !== undefined && used() > budgetBytes)
          logger.warn(
            { model: tenant.name, usedBytes: used(), budgetBytes },
            'the budget of memory is passed: what else is loaded is pinned or has requests',
          );
        await (isIn ? made : new Promise<void>((resolve) => waiting.push(resolve)));
      }
      waiting.shift()?.(); // there may be room for one more
      return () => {
        loading -= 1;
        waiting.shift()?.();
      };
    },
    leave(tenant) {
      tenants.delete(tenant);
    },
    close() {
      clearInterval(timer);
    },
  };
}
