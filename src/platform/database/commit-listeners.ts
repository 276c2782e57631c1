import type { TidemillEvent } from '#contracts/event-types';

type Listener = (events: readonly TidemillEvent[]) => void;

/** Who wants to hear of the events of a commit, after it. */
export function createCommitListeners(): { add(listener: Listener): () => void; publish: Listener } {
  const listeners = new Set<Listener>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    publish(events) {
      for (const listener of listeners) listener(events);
    },
  };
}
