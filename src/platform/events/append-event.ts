import { CompiledQuery, type DatabaseConnection } from 'kysely';
import { Compile } from 'typebox/compile';
import { type EventType, eventTypes } from '#contracts/event-types';
import { databaseErrors } from '../database/database-errors.ts';
import type { Origin, WriteContext } from '../database/types.ts';
import type { NamedQuery } from '../prepared-query.ts';
import { sqlitePosition, toPostgresPosition } from './position.ts';

/** Longest chain of events that cause one another; a longer one is something reacting to itself. */
const causeChainLimit = 16;

/**
 * The place in its chain of an event that follows from `origin`. Work whose end is an event asks before it begins: at its
 * end it would be too late to refuse.
 * @throws CAUSE_CHAIN_TOO_LONG
 */
export function nextDepth(origin: Origin, type: EventType): number {
  const depth = origin.causeDepth === undefined ? 0 : origin.causeDepth + 1;
  if (depth > causeChainLimit) throw databaseErrors.CAUSE_CHAIN_TOO_LONG(type, causeChainLimit);
  return depth;
}

/** An event checked and ready to be stored; only the database can name its position. */
export interface PreparedEvent {
  readonly id: string;
  readonly project: string;
  readonly subject: string;
  readonly type: EventType;
  readonly actor: string;
  readonly cause: string | undefined;
  readonly depth: number;
  readonly atMs: number;
  readonly data: unknown;
  readonly dataText: string;
}

/** Stores an event and answers its position. */
export type AppendEvent = (connection: DatabaseConnection, event: PreparedEvent) => Promise<string>;

interface Check {
  Check(value: unknown): boolean;
  Errors(value: unknown): readonly { instancePath: string; message: string }[];
}
const checks = new Map<EventType, Check>();

/** The compiled check of a type. Compiled at first use: most processes write few of the types. */
function checkOf(type: EventType): Check {
  const known = checks.get(type);
  if (known !== undefined) return known;
  const schema = eventTypes[type] as (typeof eventTypes)[EventType] | undefined;
  if (schema === undefined) throw databaseErrors.EVENT_INVALID(type, 'no such type in contracts/event-types');
  const made = Compile(schema) as Check;
  checks.set(type, made);
  return made;
}

/** Checks an event against its schema and completes it. */
export function prepareEvent(
  event: { readonly type: EventType; readonly project: string; readonly subject: string; readonly data: unknown },
  context: WriteContext,
  id: string,
  atMs: number,
): PreparedEvent {
  const depth = nextDepth(context, event.type);
  // What is checked, and what listeners get, is what is stored: `undefined` is gone, NaN has become null.
  const dataText = JSON.stringify(event.data);
  const data: unknown = JSON.parse(dataText);
  const check = checkOf(event.type);
  if (!check.Check(data)) {
    const first = check.Errors(data)[0];
    throw databaseErrors.EVENT_INVALID(
      event.type,
      first === undefined ? 'unknown' : `${first.instancePath || 'data'} ${first.message}`,
    );
  }
  return {
    id,
    project: event.project,
    subject: event.subject,
    type: event.type,
    actor: context.actor,
    cause: context.cause,
    depth,
    atMs,
    data,
    dataText,
  };
}

const columns = 'id, project, subject, type, actor, cause, depth, at_ms, data';
const valuesOf = (event: PreparedEvent): unknown[] => [
  event.id,
  event.project,
  event.subject,
  event.type,
  event.actor,
  event.cause ?? null,
  event.depth,
  event.atMs,
  event.dataText,
];

export const appendToSqlite: AppendEvent = async (connection, event) => {
  const { insertId } = await connection.executeQuery(
    CompiledQuery.raw(`insert into events (${columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`, valuesOf(event)),
  );
  return sqlitePosition(Number(insertId));
};

export const appendToPostgres: AppendEvent = async (connection, event) => {
  const query: NamedQuery<{ xid: number; sequence: number }> = {
    ...CompiledQuery.raw(
      `insert into events (${columns}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning xid, sequence`,
      valuesOf(event),
    ),
    name: 'append-event',
  };
  const { rows } = await connection.executeQuery<{ xid: number; sequence: number }>(query);
  const row = rows[0];
  if (row === undefined) throw new Error('the insert of an event answered no row');
  return toPostgresPosition(row);
};
