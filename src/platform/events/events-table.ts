import { type Expression, type Kysely, type SqlBool, sql } from 'kysely';
import type { TidemillEvent } from '#contracts/event-types';
import type { Reader } from '../database/types.ts';
import { inList } from '../sql.ts';
import { beforeEverything, fromPostgresPosition, sqlitePosition, toPostgresPosition, toRowid } from './position.ts';

/** What a reader of the log may ask for. */
export interface EventFilter {
  readonly project?: string;
  readonly types?: readonly string[];
  readonly subject?: string;
  /** Only events after this position. */
  readonly afterPosition?: string;
  /** Only events before this position. */
  readonly beforePosition?: string;
  readonly limit: number;
  /** By position; `asc` unless told. */
  readonly order?: 'asc' | 'desc';
}

/** An event as stored, with the length of the chain of causes before it. */
export interface LoggedEvent {
  readonly event: TidemillEvent;
  readonly depth: number;
}

interface EventRow {
  id: string;
  project: string;
  subject: string;
  type: string;
  actor: string;
  cause: string | null;
  depth: number;
  at_ms: number;
  data: string;
}
interface EventTables {
  /** `position` on SQLite; `xid` and `sequence` on PostgreSQL. */
  events: EventRow & { position: number; xid: number; sequence: number };
}

const columns = [
  'events.id',
  'events.project',
  'events.subject',
  'events.type',
  'events.actor',
  'events.cause',
  'events.depth',
  'events.at_ms',
  'events.data',
] as const;

/** Every transaction under this id has ended, so that nothing can still appear behind a reader. */
const settled = sql<SqlBool>`events.xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;

/** Events by position. On PostgreSQL only those behind which no other can appear any more. */
export async function selectEvents(reader: Reader, filter: EventFilter): Promise<readonly LoggedEvent[]> {
  const order = filter.order ?? 'asc';
  let query = reader.query<EventTables>().selectFrom('events').select(columns).limit(filter.limit);
  if (filter.project !== undefined) query = query.where('events.project', '=', filter.project);
  if (filter.subject !== undefined) query = query.where('events.subject', '=', filter.subject);
  if (filter.types !== undefined) query = query.where(inList(reader, 'events.type', filter.types));
  if (filter.afterPosition !== undefined) query = query.where(comparePosition(reader, '>', filter.afterPosition));
  if (filter.beforePosition !== undefined) query = query.where(comparePosition(reader, '<', filter.beforePosition));

  if (reader.dialect === 'sqlite') {
    const rows = await query.select('events.position').orderBy('events.position', order).execute();
    return rows.map((row) => toLoggedEvent(row, sqlitePosition(row.position)));
  }
  const rows = await query
    .select(['events.xid', 'events.sequence'])
    .where(settled)
    .orderBy('events.xid', order)
    .orderBy('events.sequence', order)
    .execute();
  return rows.map((row) => toLoggedEvent(row, toPostgresPosition(row)));
}

/** One event by its position, even when it is not settled yet. */
export async function selectEventAt(reader: Reader, position: string): Promise<LoggedEvent | undefined> {
  const row = await reader
    .query<EventTables>()
    .selectFrom('events')
    .select(columns)
    .where(comparePosition(reader, '=', position))
    .executeTakeFirst();
  return row && toLoggedEvent(row, position);
}

/** The position of the newest event that readers can see. */
export async function selectHead(reader: Reader): Promise<string> {
  const events: Kysely<EventTables> = reader.query<EventTables>();
  if (reader.dialect === 'sqlite') {
    const row = await events
      .selectFrom('events')
      .select((e) => e.fn.max('events.position').as('position'))
      .executeTakeFirst();
    return row?.position == null ? beforeEverything : sqlitePosition(row.position);
  }
  const row = await events
    .selectFrom('events')
    .select(['events.xid', 'events.sequence'])
    .where(settled)
    .orderBy('events.xid', 'desc')
    .orderBy('events.sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? beforeEverything : toPostgresPosition(row);
}

function comparePosition(reader: Reader, operator: '<' | '=' | '>', position: string): Expression<SqlBool> {
  const compare = sql.raw(operator);
  if (reader.dialect === 'sqlite') return sql<SqlBool>`events.position ${compare} ${toRowid(position)}`;
  const { xid, sequence } = fromPostgresPosition(position);
  return sql<SqlBool>`(events.xid, events.sequence) ${compare} (${xid}::bigint, ${sequence}::bigint)`;
}

function toLoggedEvent(row: EventRow, position: string): LoggedEvent {
  const event = {
    position,
    id: row.id,
    project: row.project,
    subject: row.subject,
    type: row.type,
    actor: row.actor,
    cause: row.cause ?? undefined,
    atMs: row.at_ms,
    data: JSON.parse(row.data) as unknown,
  };
  // The log holds only what `emit` has checked against the type's schema.
  return { event: event as TidemillEvent, depth: row.depth };
}
