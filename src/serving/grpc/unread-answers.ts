import type { EventEmitter } from 'node:events';
import type { RequestMemory } from '../request-memory.ts';
import type { AnyCall } from './grpc-caller.ts';

/** Answers of one call count as memory of requests until its client has taken them, or the call is over. */
export interface UnreadAnswers {
  hold(bytes: number): void;
  release(bytes: number): void;
  /** It is the client's turn: it may be cut to make room, until `settled`. */
  waiting(): void;
  settled(): void;
}

export function createUnreadAnswers(
  call: AnyCall & Pick<EventEmitter, 'once'>,
  memory: RequestMemory,
  /** Ends the connection of a peer. */
  cut: (peer: string) => void,
): UnreadAnswers {
  let unread = 0;
  let unwatch: (() => void) | undefined;
  const release = (bytes: number): void => {
    const given = Math.min(bytes, unread); // all was given when it was cut
    unread -= given;
    memory.give(given);
  };
  const settled = (): void => {
    unwatch?.();
    unwatch = undefined;
  };
  // said of every call that is over
  call.once('cancelled', () => {
    settled();
    release(unread);
  });
  return {
    hold(bytes) {
      if (call.cancelled) return;
      unread += bytes;
      memory.hold(bytes);
    },
    release,
    waiting() {
      if (call.cancelled) return;
      unwatch ??= memory.watch(() => {
        release(unread);
        cut(call.getPeer());
      });
    },
    settled,
  };
}
