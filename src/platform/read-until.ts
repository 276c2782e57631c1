import type { TidemillEvent } from '#contracts/event-types';
import type { EventLog } from './events.ts';

/**
 * Long-poll: reads until it is over or the time is. Listens before it reads, so that no change is missed, and reads
 * again only when an event concerns it.
 */
export async function readUntil<T>(options: {
  readonly events: Pick<EventLog, 'tail'>;
  readonly read: () => Promise<T>;
  readonly isOver: (value: T) => boolean;
  readonly concerns: (event: TidemillEvent) => boolean;
  /** 0 answers at once. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}): Promise<T> {
  const { events, read, isOver, concerns, waitMs, signal } = options;
  let wake: (() => void) | undefined;
  let changed = false;
  const unsubscribe = events.tail((batch) => {
    if (!batch.some(concerns)) return;
    changed = true;
    wake?.();
  });
  const until = Date.now() + waitMs;
  try {
    for (;;) {
      changed = false;
      const value = await read();
      const leftMs = until - Date.now();
      if (isOver(value) || leftMs <= 0 || signal.aborted) return value;
      if (!changed) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, leftMs);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        clearTimeout(timer);
      }
    }
  } finally {
    unsubscribe();
  }
}
