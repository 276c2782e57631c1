import type { TidemillEvent } from '#contracts/event-types';

type Listener = (events: readonly TidemillEvent[]) => void;

/**
 * Runs something that is told of a commit. The commit stands and others wait to be told, so a failure here (a mistake of
 * the listener) is reported as a warning of the process and stops nobody.
 */
export function runHint(hint: () => void): void {
  try {
    hint();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}

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
      for (const listener of listeners) runHint(() => listener(events));
    },
  };
}
