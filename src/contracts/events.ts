import type { Static, TSchema } from 'typebox';

/**
 * The event log's vocabulary. Each module's contract file declares the types that it writes with `defineEvents`;
 * `event-types.ts` puts them together. Personal data never enters an event: references only.
 */
export interface StoredEvent<Type extends string = string, Data = unknown> {
  /** Commit order. Opaque and sortable within one database: a decimal text. */
  readonly position: string;
  readonly id: string;
  readonly project: string;
  /** The reference this event is about, `model:late-arrival@3`. */
  readonly subject: string;
  readonly type: Type;
  /** Who: `user:local`, `token:<id>`, `system:<consumer or loop>`. */
  readonly actor: string;
  /** Id of the event or request that led here. */
  readonly cause: string | undefined;
  readonly atMs: number;
  readonly data: Data;
}

export type EventDefinitions = Readonly<Record<string, TSchema>>;

export function defineEvents<const D extends EventDefinitions>(definitions: D): D {
  return definitions;
}

export type EventOf<D extends EventDefinitions> = {
  [T in keyof D & string]: StoredEvent<T, Static<D[T]>>;
}[keyof D & string];
