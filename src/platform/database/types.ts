import type { Kysely } from 'kysely';
import type { EventData, EventType, TidemillEvent } from '#contracts/event-types';

/** What led to a unit. Work that goes on after it keeps its origin, so that the chain of causes is not cut there. */
export interface Origin {
  /** Id of the event or request that led here. */
  readonly cause?: string | undefined;
  /** How many events lie between the start of the chain and here; consumers fill it in. */
  readonly causeDepth?: number | undefined;
  /** Runs last inside every unit of this context: what it writes is committed with the unit, what it throws undoes it. */
  readonly alongside?: ((unit: Unit) => Promise<void>) | undefined;
}

/** Who acts in a unit and what led to it. Both are written with every event of the unit. */
export interface WriteContext extends Origin {
  /** `user:local`, `token:<id>`, `system:<consumer or loop>`. */
  readonly actor: string;
}

/** Something to read from: the database as last committed, or the inside of a unit. */
export interface Reader {
  readonly dialect: 'sqlite' | 'postgres';
  /** Kysely's query builder over the tables that the caller's store declares. */
  query<Tables>(): Kysely<Tables>;
}

/** That a query has a row: asked, or insisted on by a query that fails where there is none (PostgreSQL). */
export interface Assumption {
  ask(reader: Reader): Promise<boolean>;
  insist(reader: Reader): Promise<unknown>;
}

/**
 * One unit of work: everything in it is committed together, or nothing. It awaits its own handle and nothing else, and
 * it may be run again (PostgreSQL resolves conflicts so), so it changes nothing outside the database.
 */
export interface Unit extends Reader {
  readonly context: WriteContext;
  /** The time at which the unit began. */
  readonly nowMs: number;
  newId(): string;
  /** Appends an event to the log, in this unit. Data that does not fit the type's schema is a programmer's error. */
  emit<T extends EventType>(event: {
    readonly type: T;
    readonly project: string;
    readonly subject: string;
    readonly data: EventData<T>;
  }): Promise<void>;
  /**
   * Goes on as if `assumption` held, and does `otherwise` when it does not. For what nearly always holds: on PostgreSQL
   * the question leaves together with what follows it, and a unit for which it does not hold is run again and asks first.
   */
  assume(assumption: Assumption, otherwise: () => Promise<void>): Promise<void>;
  /**
   * For the last writes of a unit, in the place of awaiting them: the unit fails when one of them does. On PostgreSQL they
   * leave together with the commit, so each is one statement, sent when it is called.
   */
  withCommit(...writes: readonly Promise<unknown>[]): void;
  /** This unit, with another origin for what is written through it: of work that was begun in an earlier unit. */
  becauseOf(origin: Origin): Unit;
  /** Runs after the commit, for wake-ups only: a crash in between loses it, so never for effects that must happen. */
  afterCommit(hint: () => void): void;
}

export interface Database {
  readonly dialect: 'sqlite' | 'postgres';
  /** Reads what is committed; never queues behind writes. */
  readonly read: Reader;
  /**
   * As `read`, for what may take milliseconds (a whole history): on SQLite in a thread beside, so that nothing else waits
   * for it. Each query costs a tenth of a millisecond more.
   */
  readonly longRead: Reader;
  /** The only way to write. Resolves after the commit. */
  write<T>(context: WriteContext, work: (unit: Unit) => Promise<T>): Promise<T>;
  /**
   * Hears the events of each commit of this process, after it, in order of commit. Ephemeral: for the event log's tail
   * and for wake-ups. Returns the way to stop hearing.
   */
  onEvents(listener: (events: readonly TidemillEvent[]) => void): () => void;
  /** Writes a consistent copy of the whole database to a new file, while it is in use. */
  backupTo(path: string): Promise<void>;
  /** Waits for the units that have been handed in, then lets the database go. */
  close(): Promise<void>;
}
