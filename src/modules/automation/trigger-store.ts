import type { TriggerSpec } from '#contracts/automation';
import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { AutomationTables } from './automation-tables.ts';

export interface Trigger {
  readonly project: string;
  readonly name: string;
  readonly spec: TriggerSpec;
  /** When `cron` fires next. */
  readonly nextFireMs: number | undefined;
  readonly generation: number;
  readonly declaredMs: number;
  /** Who declared it last. */
  readonly declaredBy: string | undefined;
}

type TriggerRow = AutomationTables['automation_triggers'];

const rowToTrigger = (row: Omit<TriggerRow, 'on_reference'>): Trigger => ({
  project: row.project,
  name: row.name,
  spec: parseJson<TriggerSpec>(row.spec),
  nextFireMs: row.next_fire_ms ?? undefined,
  generation: row.generation,
  declaredMs: row.declared_ms,
  declaredBy: row.declared_by ?? undefined,
});

const select = (reader: Reader) =>
  reader
    .query<AutomationTables>()
    .selectFrom('automation_triggers')
    .select([
      'automation_triggers.project',
      'automation_triggers.name',
      'automation_triggers.spec',
      'automation_triggers.next_fire_ms',
      'automation_triggers.generation',
      'automation_triggers.declared_ms',
      'automation_triggers.declared_by',
    ]);

export async function findTrigger(reader: Reader, project: string, name: string): Promise<Trigger | undefined> {
  const row = await select(reader)
    .where('automation_triggers.project', '=', project)
    .where('automation_triggers.name', '=', name)
    .executeTakeFirst();
  return row && rowToTrigger(row);
}

/** By name. */
export async function listTriggersAfter(
  reader: Reader,
  project: string,
  page: { readonly after?: string; readonly limit?: number } = {},
): Promise<readonly Trigger[]> {
  let query = select(reader).where('automation_triggers.project', '=', project).orderBy('automation_triggers.name');
  if (page.after !== undefined) query = query.where('automation_triggers.name', '>', page.after);
  if (page.limit !== undefined) query = query.limit(page.limit);
  return (await query.execute()).map(rowToTrigger);
}

/** Those that listen to a reference. */
export async function listListeners(reader: Reader, project: string, on: string): Promise<readonly Trigger[]> {
  const rows = await select(reader)
    .where('automation_triggers.project', '=', project)
    .where('automation_triggers.on_reference', '=', on)
    .orderBy('automation_triggers.name')
    .execute();
  return rows.map(rowToTrigger);
}

/** Those whose cron is due, the longest due first. */
export async function listDue(reader: Reader, nowMs: number, limit: number): Promise<readonly Trigger[]> {
  const rows = await select(reader)
    .where('automation_triggers.next_fire_ms', '<=', nowMs)
    .orderBy('automation_triggers.next_fire_ms')
    .orderBy('automation_triggers.project')
    .orderBy('automation_triggers.name')
    .limit(limit)
    .execute();
  return rows.map(rowToTrigger);
}

export async function findNextFireMs(reader: Reader): Promise<number | undefined> {
  const row = await reader
    .query<AutomationTables>()
    .selectFrom('automation_triggers')
    .select('automation_triggers.next_fire_ms')
    .where('automation_triggers.next_fire_ms', 'is not', null)
    .orderBy('automation_triggers.next_fire_ms')
    .limit(1)
    .executeTakeFirst();
  return row?.next_fire_ms ?? undefined;
}

export async function putTrigger(unit: Unit, trigger: Trigger): Promise<void> {
  const { project, name, spec, nextFireMs, generation, declaredMs, declaredBy } = trigger;
  const changed = {
    spec: JSON.stringify(spec),
    on_reference: spec.on ?? null,
    next_fire_ms: nextFireMs ?? null,
    generation,
    declared_by: declaredBy ?? null,
  };
  await unit
    .query<AutomationTables>()
    .insertInto('automation_triggers')
    .values({ project, name, ...changed, declared_ms: declaredMs })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(changed))
    .execute();
}

export async function deleteTrigger(unit: Unit, project: string, name: string): Promise<void> {
  await unit
    .query<AutomationTables>()
    .deleteFrom('automation_triggers')
    .where('automation_triggers.project', '=', project)
    .where('automation_triggers.name', '=', name)
    .execute();
}

/** Moves the next time on; false when another has moved it. */
export async function moveNextFire(unit: Unit, trigger: Trigger, nextMs: number | undefined): Promise<boolean> {
  if (trigger.nextFireMs === undefined) return false;
  const { numUpdatedRows } = await unit
    .query<AutomationTables>()
    .updateTable('automation_triggers')
    .set({ next_fire_ms: nextMs ?? null })
    .where('automation_triggers.project', '=', trigger.project)
    .where('automation_triggers.name', '=', trigger.name)
    .where('automation_triggers.next_fire_ms', '=', trigger.nextFireMs)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
