import type { TidemillEvent } from '#contracts/event-types';
import type { StoredEvent } from '#contracts/events';
import type { Database } from '../database/types.ts';
import { type EventFilter, selectEvents, selectHead } from './events-table.ts';
import { tailSettled } from './settled-tail.ts';

/** The log of everything that happened, in the order of commits. */
export interface EventLog {
  list(filter: EventFilter): Promise<readonly StoredEvent[]>;
  /** Position of the newest event; '0' when there is none. */
  head(): Promise<string>;
  /**
   * Hears new events after their commit, in order of position. Ephemeral: nothing is kept for a listener that is away;
   * it lists from its last position when it comes back. Returns the way to stop.
   */
  tail(listener: (events: readonly TidemillEvent[]) => void): () => void;
}

export function createEventLog(database: Database): EventLog {
  return {
    list: async (filter) => (await selectEvents(database.read, filter)).map(({ event }) => event),
    head: () => selectHead(database.read),
    tail: (listener) =>
      database.dialect === 'sqlite'
        ? database.onEvents(listener) // one writer: commits are heard in the order of positions
        : tailSettled(database, listener),
  };
}
