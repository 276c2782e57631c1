import type { DatabaseConnection, Kysely } from 'kysely';
import type { TidemillEvent } from '#contracts/event-types';
import type { Clock } from '../clock.ts';
import { type AppendEvent, prepareEvent } from '../events/append-event.ts';
import type { Ids } from '../ids.ts';
import { databaseErrors } from './database-errors.ts';
import type { createKyselyFactory } from './kysely-handle.ts';
import type { Assumption, Database, Reader, Unit, WriteContext } from './types.ts';

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
  /** Those that the work did not wait for. */
  readonly writesWithCommit: readonly Promise<unknown>[];
  /** Resolves when everything that could be sent has been; rejects if a write with the commit has failed by then. */
  nothingFailed(): Promise<void>;
  /** It must be run again, without insisting. */
  assumedWrongly(): boolean;
  /** From now on every use of the unit is an error. */
  end(): void;
}

/** SQLSTATE with which an assumption fails that was insisted on. */
const divisionByZero = '22012';

/** Does the work of a unit, then what its context wants done alongside. */
export async function doWork<T>(unit: Unit, work: (unit: Unit) => Promise<T>): Promise<T> {
  const value = await work(unit);
  await unit.context.alongside?.(unit);
  return value;
}

/**
 * Opens the handle of one unit over a connection whose transaction or savepoint has begun. With `insists` it does not wait
 * for what it assumes.
 */
export function openUnit(
  parts: UnitParts,
  context: WriteContext,
  connection: DatabaseConnection,
  { insists = false } = {},
): OpenUnit {
  const events: TidemillEvent[] = [];
  const hints: (() => void)[] = [];
  const writesWithCommit: Promise<unknown>[] = [];
  const failures: unknown[] = [];
  const nowMs = parts.clock.nowMs();
  let open = true;
  let assumedWrongly = false;
  let handle: Kysely<unknown> | undefined;

  const provideConnection = async <T>(use: (connection: DatabaseConnection) => Promise<T>): Promise<T> => {
    if (!open) throw databaseErrors.UNIT_CLOSED();
    return await use(connection);
  };

  const withCommit = (...writes: readonly Promise<unknown>[]): void => {
    for (const write of writes) write.catch((error: unknown) => failures.push(error));
    if (!open) throw databaseErrors.UNIT_CLOSED();
    writesWithCommit.push(...writes);
  };

  const reader: Reader = {
    dialect: parts.dialect,
    query<Tables>() {
      handle ??= parts.kysely(provideConnection);
      return handle as unknown as Kysely<Tables>;
    },
  };

  async function assume(assumption: Assumption, otherwise: () => Promise<void>): Promise<void> {
    if (!insists) {
      if (!(await assumption.ask(reader))) await otherwise();
      return;
    }
    const insisted = assumption.insist(reader).catch((error: unknown) => {
      assumedWrongly ||= error instanceof Error && 'code' in error && error.code === divisionByZero;
      throw error;
    });
    withCommit(insisted);
  }

  const withContext = (its: WriteContext): Unit => ({
    ...reader,
    context: its,
    nowMs,
    newId: () => parts.ids.next(),
    async emit(event) {
      const prepared = prepareEvent(event, its, parts.ids.next(), nowMs);
      const position = await provideConnection((one) => parts.appendEvent(one, prepared));
      const { dataText: _, depth: __, ...fields } = prepared;
      events.push({ position, ...fields } as TidemillEvent);
    },
    assume,
    withCommit,
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
    writesWithCommit,
    assumedWrongly: () => assumedWrongly,
    async nothingFailed() {
      if (writesWithCommit.length === 0) return;
      await new Promise((resolve) => process.nextTick(resolve));
      if (failures.length > 0) throw failures[0];
    },
    end() {
      open = false;
    },
  };
}
