/** Work of which a few run at once. Owners take turns, so that nobody waits for all that another has asked for. */
export interface Turns {
  take<Result>(owner: object, work: () => Promise<Result>): Promise<Result>;
}

export function createTurns(atOnce: number): Turns {
  /** Those that wait, by owners in the order of their turns. */
  const queues = new Map<object, (() => void)[]>();
  let running = 0;

  function pass(): void {
    for (const [owner, queue] of queues) {
      queues.delete(owner);
      const begin = queue.shift();
      if (queue.length > 0) queues.set(owner, queue); // behind the others
      return begin?.();
    }
    running -= 1;
  }

  function wait(owner: object): Promise<void> {
    return new Promise((resolve) => {
      const queue = queues.get(owner);
      if (queue === undefined) queues.set(owner, [resolve]);
      else queue.push(resolve);
    });
  }

  return {
    async take(owner, work) {
      if (running >= atOnce) await wait(owner);
      else running += 1;
      try {
        return await work();
      } finally {
        pass();
      }
    },
  };
}
