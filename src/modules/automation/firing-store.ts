import type { FiringState } from '#contracts/automation';
import type { Reader, Unit } from '#platform/database';
import { toBit } from '#platform/sql';
import type { AutomationTables } from './automation-tables.ts';

/** What a trigger did about one cause. */
export interface Firing {
  readonly id: string;
  readonly project: string;
  readonly trigger: string;
  readonly cause: string;
  readonly causeSubject: string;
  readonly state: FiringState;
  readonly runId: string | undefined;
  readonly reason: string | undefined;
  /** On the clock of the cause. */
  readonly clockMs: number;
  readonly atMs: number;
}

type FiringRow = AutomationTables['automation_firings'];

const rowToFiring = (row: Omit<FiringRow, 'cools'>): Firing => ({
  id: row.id,
  project: row.project,
  trigger: row.trigger_name,
  cause: row.cause,
  causeSubject: row.cause_subject,
  state: row.state,
  runId: row.run_id ?? undefined,
  reason: row.reason ?? undefined,
  clockMs: row.clock_ms,
  atMs: row.at_ms,
});

const select = (reader: Reader, project: string) =>
  reader
    .query<AutomationTables>()
    .selectFrom('automation_firings')
    .select([
      'automation_firings.id',
      'automation_firings.project',
      'automation_firings.trigger_name',
      'automation_firings.cause',
      'automation_firings.cause_subject',
      'automation_firings.state',
      'automation_firings.run_id',
      'automation_firings.reason',
      'automation_firings.clock_ms',
      'automation_firings.at_ms',
    ])
    .where('automation_firings.project', '=', project);

export async function findFiring(
  reader: Reader,
  project: string,
  trigger: string,
  cause: string,
): Promise<Firing | undefined> {
  const row = await select(reader, project)
    .where('automation_firings.trigger_name', '=', trigger)
    .where('automation_firings.cause', '=', cause)
    .executeTakeFirst();
  return row && rowToFiring(row);
}

/** The newest one from which its cool-down counts. */
export async function findLastCooling(reader: Reader, project: string, trigger: string): Promise<Firing | undefined> {
  const row = await select(reader, project)
    .where('automation_firings.trigger_name', '=', trigger)
    .where('automation_firings.cools', '=', 1)
    .orderBy('automation_firings.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && rowToFiring(row);
}

/** The newest one, whatever came of it; with `fired` the newest that started a run. */
export async function findLastFiring(
  reader: Reader,
  project: string,
  trigger: string,
  only?: 'fired',
): Promise<Firing | undefined> {
  let query = select(reader, project)
    .where('automation_firings.trigger_name', '=', trigger)
    .orderBy('automation_firings.id', 'desc')
    .limit(1);
  if (only !== undefined) query = query.where('automation_firings.state', '=', only);
  const row = await query.executeTakeFirst();
  return row && rowToFiring(row);
}

export interface FiringFilter {
  readonly project: string;
  readonly trigger?: string;
  readonly beforeId?: string;
  readonly limit: number;
}

/** Newest first: ids grow with time. */
export async function listFiringsBefore(reader: Reader, filter: FiringFilter): Promise<readonly Firing[]> {
  let query = select(reader, filter.project).orderBy('automation_firings.id', 'desc').limit(filter.limit);
  if (filter.trigger !== undefined) query = query.where('automation_firings.trigger_name', '=', filter.trigger);
  if (filter.beforeId !== undefined) query = query.where('automation_firings.id', '<', filter.beforeId);
  return (await query.execute()).map(rowToFiring);
}

/** False when this cause has reached this trigger already. */
export async function insertFiring(unit: Unit, firing: Firing, cools: boolean): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await unit
    .query<AutomationTables>()
    .insertInto('automation_firings')
    .values({
      id: firing.id,
      project: firing.project,
      trigger_name: firing.trigger,
      cause: firing.cause,
      cause_subject: firing.causeSubject,
      state: firing.state,
      cools: toBit(cools),
      run_id: firing.runId ?? null,
      reason: firing.reason ?? null,
      clock_ms: firing.clockMs,
      at_ms: firing.atMs,
    })
    .onConflict((conflict) => conflict.columns(['project', 'trigger_name', 'cause']).doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}
