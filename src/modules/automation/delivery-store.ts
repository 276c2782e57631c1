import type { DeliveryState } from '#contracts/automation';
import type { Reader, Unit } from '#platform/database';
import type { AutomationTables } from './automation-tables.ts';

export interface Delivery {
  readonly id: string;
  readonly project: string;
  readonly webhookId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly subject: string;
  /** The JSON that is sent, the same in each attempt. */
  readonly body: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** Undefined when it is not tried any more. */
  readonly nextAttemptMs: number | undefined;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly createdMs: number;
  readonly endedMs: number | undefined;
}

const rowToDelivery = (row: AutomationTables['automation_deliveries']): Delivery => ({
  id: row.id,
  project: row.project,
  webhookId: row.webhook_id,
  eventId: row.event_id,
  eventType: row.event_type,
  subject: row.subject,
  body: row.body,
  state: row.state,
  attempts: row.attempts,
  nextAttemptMs: row.next_attempt_ms ?? undefined,
  status: row.status ?? undefined,
  error: row.error ?? undefined,
  createdMs: row.created_ms,
  endedMs: row.ended_ms ?? undefined,
});

const select = (reader: Reader) =>
  reader
    .query<AutomationTables>()
    .selectFrom('automation_deliveries')
    .select([
      'automation_deliveries.id',
      'automation_deliveries.project',
      'automation_deliveries.webhook_id',
      'automation_deliveries.event_id',
      'automation_deliveries.event_type',
      'automation_deliveries.subject',
      'automation_deliveries.body',
      'automation_deliveries.state',
      'automation_deliveries.attempts',
      'automation_deliveries.next_attempt_ms',
      'automation_deliveries.status',
      'automation_deliveries.error',
      'automation_deliveries.created_ms',
      'automation_deliveries.ended_ms',
    ]);

export async function findDelivery(reader: Reader, webhookId: string, id: string): Promise<Delivery | undefined> {
  const row = await select(reader)
    .where('automation_deliveries.id', '=', id)
    .where('automation_deliveries.webhook_id', '=', webhookId)
    .executeTakeFirst();
  return row && rowToDelivery(row);
}

/** Newest first: ids grow with time. */
export async function listDeliveriesBefore(
  reader: Reader,
  filter: {
    readonly webhookId: string;
    readonly state?: DeliveryState;
    readonly beforeId?: string;
    readonly limit: number;
  },
): Promise<readonly Delivery[]> {
  let query = select(reader)
    .where('automation_deliveries.webhook_id', '=', filter.webhookId)
    .orderBy('automation_deliveries.id', 'desc')
    .limit(filter.limit);
  if (filter.state !== undefined) query = query.where('automation_deliveries.state', '=', filter.state);
  if (filter.beforeId !== undefined) query = query.where('automation_deliveries.id', '<', filter.beforeId);
  return (await query.execute()).map(rowToDelivery);
}

/** Webhooks that have something to send now, and since when. */
export async function listDueWebhooks(reader: Reader, nowMs: number): Promise<readonly string[]> {
  const rows = await reader
    .query<AutomationTables>()
    .selectFrom('automation_deliveries')
    .select('automation_deliveries.webhook_id')
    .distinct()
    .where('automation_deliveries.next_attempt_ms', '<=', nowMs)
    .orderBy('automation_deliveries.webhook_id')
    .execute();
  return rows.map((row) => row.webhook_id);
}

/** The delivery of a webhook that has been due the longest. */
export async function findDueDelivery(reader: Reader, webhookId: string, nowMs: number): Promise<Delivery | undefined> {
  const row = await select(reader)
    .where('automation_deliveries.webhook_id', '=', webhookId)
    .where('automation_deliveries.next_attempt_ms', '<=', nowMs)
    .orderBy('automation_deliveries.next_attempt_ms')
    .orderBy('automation_deliveries.id')
    .limit(1)
    .executeTakeFirst();
  return row && rowToDelivery(row);
}

export async function findNextAttemptMs(reader: Reader): Promise<number | undefined> {
  const row = await reader
    .query<AutomationTables>()
    .selectFrom('automation_deliveries')
    .select('automation_deliveries.next_attempt_ms')
    .where('automation_deliveries.next_attempt_ms', 'is not', null)
    .orderBy('automation_deliveries.next_attempt_ms')
    .limit(1)
    .executeTakeFirst();
  return row?.next_attempt_ms ?? undefined;
}

/** An event is queued once for each webhook. */
export async function insertDelivery(unit: Unit, delivery: Delivery): Promise<void> {
  await unit
    .query<AutomationTables>()
    .insertInto('automation_deliveries')
    .values({
      id: delivery.id,
      project: delivery.project,
      webhook_id: delivery.webhookId,
      event_id: delivery.eventId,
      event_type: delivery.eventType,
      subject: delivery.subject,
      body: delivery.body,
      state: delivery.state,
      attempts: delivery.attempts,
      next_attempt_ms: delivery.nextAttemptMs ?? null,
      status: null,
      error: null,
      created_ms: delivery.createdMs,
      ended_ms: null,
    })
    .onConflict((conflict) => conflict.columns(['webhook_id', 'event_id']).doNothing())
    .execute();
}

/** Writes what came of an attempt; false when another attempt was written meanwhile. */
export async function updateDelivery(unit: Unit, before: Delivery, after: Delivery): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<AutomationTables>()
    .updateTable('automation_deliveries')
    .set({
      state: after.state,
      attempts: after.attempts,
      next_attempt_ms: after.nextAttemptMs ?? null,
      status: after.status ?? null,
      error: after.error ?? null,
      ended_ms: after.endedMs ?? null,
    })
    .where('automation_deliveries.id', '=', before.id)
    .where('automation_deliveries.attempts', '=', before.attempts)
    .where('automation_deliveries.state', '=', before.state)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Removes what ended long ago. */
export async function deleteOldDeliveries(unit: Unit, createdBeforeMs: number): Promise<void> {
  await unit
    .query<AutomationTables>()
    .deleteFrom('automation_deliveries')
    .where('automation_deliveries.created_ms', '<', createdBeforeMs)
    .where('automation_deliveries.next_attempt_ms', 'is', null)
    .execute();
}
