import type { EventEmitter } from 'node:events';

/** Calls that last: a server that stops waits for all that is open, so each is told to come to its end. */
export interface OpenStreams {
  /** `end` answers what is under way and ends the call. */
  add(call: EventEmitter, end: () => void): void;
  end(): void;
}

export function createOpenStreams(): OpenStreams {
  const open = new Map<EventEmitter, () => void>();
  return {
    add(call, end) {
      open.set(call, end);
      call.once('cancelled', () => open.delete(call)); // said of every call that is over
    },
    end() {
      for (const end of open.values()) end();
    },
  };
}
