import type { DatabaseConnection, Kysely } from 'kysely';
import type { TidemillEvent } from '#contracts/event-types';
import type { Clock } from '../clock.ts';
import { type AppendEvent, prepareEvent } from '../events/append-event.ts';
import type { Ids } from '../ids.ts';
import { databaseErrors } from './database-errors.ts';
import type { createKyselyFactory } from './kysely-handle.ts';
import type { Database, Unit, WriteContext } from './types.ts';

/** What both databases need to make units. */
export interface UnitParts {
  readonly dialect: Database['dialect'];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly kysely: ReturnType<typeof createKyselyFactory>;
  readonly appendEvent: AppendEvent;
}

export interface OpenUnit {
  readonly unit: Unit;
  readonly events: readonly TidemillEvent[];
  readonly hints: readonly (() => void)[];
  isOpen(): boolean;
  /** From now on every use of the unit is an error. */
  end(): void;
}

/** Does the work of a unit, then what its context wants done alongside. */
export async function doWork<T>(unit: Unit, work: (unit: Unit) => Promise<T>): Promise<T> {
  const value = await work(unit);
  await unit.context.alongside?.(unit);
  return value;
}

/** Opens the handle of one unit over a connection whose transaction or savepoint has begun. */
export function openUnit(parts: UnitParts, context: WriteContext, connection: DatabaseConnection): OpenUnit {
  const events: TidemillEvent[] = [];
  const hints: (() => void)[] = [];
  const nowMs = parts.clock.nowMs();
  let open = true;
  let handle: Kysely<unknown> | undefined;

  const provideConnection = async <T>(use: (connection: DatabaseConnection) => Promise<T>): Promise<T> => {
    if (!open) throw databaseErrors.UNIT_CLOSED();
    return await use(connection);
  };

  const withContext = (its: WriteContext): Unit => ({
    dialect: parts.dialect,
    context: its,
    nowMs,
    newId: () => parts.ids.next(),
    query<Tables>() {
      handle ??= parts.kysely(provideConnection);
      return handle as unknown as Kysely<Tables>;
    },
    async emit(event) {
      const prepared = prepareEvent(event, its, parts.ids.next(), nowMs);
      const position = await provideConnection((one) => parts.appendEvent(one, prepared));
      const { dataText: _, depth: __, ...fields } = prepared;
      events.push({ position, ...fields } as TidemillEvent);
    },
    becauseOf: ({ cause, causeDepth }) => withContext({ actor: its.actor, cause, causeDepth }),
    afterCommit(hint) {
      if (!open) throw databaseErrors.UNIT_CLOSED();
      hints.push(hint);
    },
  });

  return {
    unit: withContext(context),
    events,
    hints,
    isOpen: () => open,
    end() {
      open = false;
    },
  };
}
