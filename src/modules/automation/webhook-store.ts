import type { WebhookFormatName } from '#contracts/automation';
import type { Reader, Unit } from '#platform/database';
import { fromBit, parseJson, toBit } from '#platform/sql';
import type { AutomationTables } from './automation-tables.ts';

export interface Webhook {
  readonly id: string;
  readonly project: string;
  readonly url: string;
  readonly types: readonly string[];
  readonly enabled: boolean;
  readonly format: WebhookFormatName;
  readonly name: string;
  readonly description: string;
  /** There is a secret to sign with. */
  readonly signed: boolean;
  readonly createdMs: number;
  readonly updatedMs: number;
}

const rowToWebhook = (row: AutomationTables['automation_webhooks']): Webhook => ({
  id: row.id,
  project: row.project,
  url: row.url,
  types: parseJson<readonly string[]>(row.types),
  enabled: fromBit(row.enabled),
  format: row.format,
  name: row.name,
  description: row.description,
  signed: fromBit(row.signed),
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

const select = (reader: Reader) =>
  reader
    .query<AutomationTables>()
    .selectFrom('automation_webhooks')
    .select([
      'automation_webhooks.id',
      'automation_webhooks.project',
      'automation_webhooks.url',
      'automation_webhooks.types',
      'automation_webhooks.enabled',
      'automation_webhooks.format',
      'automation_webhooks.name',
      'automation_webhooks.description',
      'automation_webhooks.signed',
      'automation_webhooks.created_ms',
      'automation_webhooks.updated_ms',
    ]);

export async function findWebhook(reader: Reader, id: string): Promise<Webhook | undefined> {
  const row = await select(reader).where('automation_webhooks.id', '=', id).executeTakeFirst();
  return row && rowToWebhook(row);
}

/** Newest first: ids grow with time. */
export async function listWebhooksBefore(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly format?: WebhookFormatName;
    readonly beforeId?: string;
    readonly limit?: number;
  },
): Promise<readonly Webhook[]> {
  let query = select(reader)
    .where('automation_webhooks.project', '=', filter.project)
    .orderBy('automation_webhooks.id', 'desc');
  if (filter.format !== undefined) query = query.where('automation_webhooks.format', '=', filter.format);
  if (filter.beforeId !== undefined) query = query.where('automation_webhooks.id', '<', filter.beforeId);
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  return (await query.execute()).map(rowToWebhook);
}

export async function putWebhook(unit: Unit, webhook: Webhook): Promise<void> {
  const changed = {
    url: webhook.url,
    types: JSON.stringify(webhook.types),
    enabled: toBit(webhook.enabled),
    name: webhook.name,
    description: webhook.description,
    signed: toBit(webhook.signed),
    updated_ms: webhook.updatedMs,
  };
  await unit
    .query<AutomationTables>()
    .insertInto('automation_webhooks')
    .values({
      id: webhook.id,
      project: webhook.project,
      format: webhook.format,
      ...changed,
      created_ms: webhook.createdMs,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changed))
    .execute();
}

export async function deleteWebhook(unit: Unit, id: string): Promise<void> {
  await unit.query<AutomationTables>().deleteFrom('automation_deliveries').where('webhook_id', '=', id).execute();
  await unit.query<AutomationTables>().deleteFrom('automation_webhooks').where('id', '=', id).execute();
}
