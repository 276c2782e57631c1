import type { TidemillEvent } from '#contracts/event-types';
import type { StoredEvent } from '#contracts/events';
import type { Database } from '../database/types.ts';
import { type EventFilter, selectEvents, selectHead } from './events-table.ts';

/** The log of everything that happened, in the order of commits. */
export interface EventLog {
  list(filter: EventFilter): Promise<readonly StoredEvent[]>;
  /** Position of the newest event; '0' when there is none. */
  head(): Promise<string>;
  /**
   * Hears new events of this process after their commit: a hint to look. On PostgreSQL units commit in another order than
   * that of their positions, so a listener that keeps a position of its own lists from there, which shows an event once
   * nothing can appear before it any more. Returns the way to stop.
   */
  tail(listener: (events: readonly TidemillEvent[]) => void): () => void;
}

export function createEventLog(database: Database): EventLog {
  return {
    list: async (filter) => (await selectEvents(database.read, filter)).map(({ event }) => event),
    head: () => selectHead(database.read),
    tail: (listener) => database.onEvents(listener),
  };
}
