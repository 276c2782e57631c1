import { sql } from 'kysely';
import type { Reader, Unit } from '../database/types.ts';

interface ConsumerTables {
  consumers: { name: string; position: string; fence: number; owner: string; taken_at_ms: number };
  parked_events: {
    consumer: string;
    position: string;
    event_id: string;
    project: string;
    subject: string;
    type: string;
    error: string;
    attempts: number;
    parked_at_ms: number;
  };
}

/** An event that a consumer could not handle, or that waits behind one of the same subject. */
export interface ParkedEvent {
  readonly consumer: string;
  readonly position: string;
  readonly eventId: string;
  readonly project: string;
  readonly subject: string;
  readonly type: string;
  readonly error: string;
  /** 0 when it was never tried, because an earlier event of its subject is parked. */
  readonly attempts: number;
  readonly parkedAtMs: number;
}

export interface TakenConsumer {
  readonly position: string;
  readonly fence: number;
}

/** Takes a consumer up, raising its fence: whoever held it before can no longer move its cursor. */
export async function takeConsumer(
  unit: Unit,
  consumer: { readonly name: string; readonly owner: string; readonly firstPosition: string },
): Promise<TakenConsumer> {
  return await unit
    .query<ConsumerTables>()
    .insertInto('consumers')
    .values({
      name: consumer.name,
      position: consumer.firstPosition,
      fence: 1,
      owner: consumer.owner,
      taken_at_ms: unit.nowMs,
    })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet({
        fence: sql`consumers.fence + 1`,
        owner: consumer.owner,
        taken_at_ms: unit.nowMs,
      }),
    )
    .returning(['consumers.position', 'consumers.fence'])
    .executeTakeFirstOrThrow();
}

/** Moves a cursor from one position to the next; false when it is not there, or not this process's any more. */
export async function advanceConsumer(
  unit: Unit,
  move: { readonly name: string; readonly fence: number; readonly from: string; readonly to: string },
): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<ConsumerTables>()
    .updateTable('consumers')
    .set({ position: move.to })
    .where('consumers.name', '=', move.name)
    .where('consumers.fence', '=', move.fence)
    .where('consumers.position', '=', move.from)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function insertParked(unit: Unit, parked: ParkedEvent): Promise<void> {
  await unit
    .query<ConsumerTables>()
    .insertInto('parked_events')
    .values({
      consumer: parked.consumer,
      position: parked.position,
      event_id: parked.eventId,
      project: parked.project,
      subject: parked.subject,
      type: parked.type,
      error: parked.error,
      attempts: parked.attempts,
      parked_at_ms: parked.parkedAtMs,
    })
    .execute();
}

/** False when it is not parked any more. */
export async function deleteParked(unit: Unit, parked: Pick<ParkedEvent, 'consumer' | 'position'>): Promise<boolean> {
  const { numDeletedRows } = await unit
    .query<ConsumerTables>()
    .deleteFrom('parked_events')
    .where('parked_events.consumer', '=', parked.consumer)
    .where('parked_events.position', '=', parked.position)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

export async function recordFailedRetry(
  unit: Unit,
  parked: Pick<ParkedEvent, 'consumer' | 'position'>,
  error: string,
): Promise<void> {
  await unit
    .query<ConsumerTables>()
    .updateTable('parked_events')
    .set({ error, attempts: sql`parked_events.attempts + 1` })
    .where('parked_events.consumer', '=', parked.consumer)
    .where('parked_events.position', '=', parked.position)
    .execute();
}

/** Parked events in order of consumer and position. */
export async function listParked(
  reader: Reader,
  filter: { readonly consumer?: string; readonly afterPosition?: string; readonly limit: number },
): Promise<readonly ParkedEvent[]> {
  let query = reader
    .query<ConsumerTables>()
    .selectFrom('parked_events')
    .select([
      'parked_events.consumer',
      'parked_events.position',
      'parked_events.event_id',
      'parked_events.project',
      'parked_events.subject',
      'parked_events.type',
      'parked_events.error',
      'parked_events.attempts',
      'parked_events.parked_at_ms',
    ])
    .orderBy('parked_events.consumer')
    .orderBy('parked_events.position')
    .limit(filter.limit);
  if (filter.consumer !== undefined) query = query.where('parked_events.consumer', '=', filter.consumer);
  if (filter.afterPosition !== undefined) query = query.where('parked_events.position', '>', filter.afterPosition);
  const rows = await query.execute();
  return rows.map((row) => ({
    consumer: row.consumer,
    position: row.position,
    eventId: row.event_id,
    project: row.project,
    subject: row.subject,
    type: row.type,
    error: row.error,
    attempts: row.attempts,
    parkedAtMs: row.parked_at_ms,
  }));
}

/** What is parked, as keys of `subjectKey`. */
export async function listParkedSubjects(reader: Reader, consumer: string): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<ConsumerTables>()
    .selectFrom('parked_events')
    .select(['parked_events.project', 'parked_events.subject'])
    .distinct()
    .where('parked_events.consumer', '=', consumer)
    .execute();
  return new Set(rows.map(subjectKey));
}

/** Whether an event of the subject is parked. */
export async function isParked(
  reader: Reader,
  consumer: string,
  { project, subject }: { readonly project: string; readonly subject: string },
): Promise<boolean> {
  const row = await reader
    .query<ConsumerTables>()
    .selectFrom('parked_events')
    .select(['parked_events.position'])
    .where('parked_events.consumer', '=', consumer)
    .where('parked_events.project', '=', project)
    .where('parked_events.subject', '=', subject)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** A subject is a reference inside a project. */
export const subjectKey = (event: { readonly project: string; readonly subject: string }): string =>
  `${event.project}\n${event.subject}`;
