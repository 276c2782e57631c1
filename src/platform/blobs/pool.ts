export interface Pool {
  /** Begins the work as soon as there is room; resolves then. Throws what earlier work failed with. */
  add(work: () => Promise<void>): Promise<void>;
  /** All of it has ended; throws the first failure. */
  settle(): Promise<void>;
}

/** Runs so many at once, and nothing more once one has failed. */
export function createPool(atOnce: number): Pool {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    async add(work) {
      while (running.size >= atOnce) await Promise.race(running);
      throwFailure();
      const task: Promise<void> = work()
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(task));
      running.add(task);
    },
    async settle() {
      await Promise.all(running);
      throwFailure();
    },
  };
}
