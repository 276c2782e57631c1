import type { MonitorSpec, Verdict, WindowPart } from '#contracts/monitoring';
import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { MonitoringTables, MonitorRow, WindowRow } from './monitoring-tables.ts';

export interface Monitor {
  readonly project: string;
  readonly name: string;
  readonly deployment: string;
  readonly spec: MonitorSpec;
  readonly generation: number;
  readonly fromMs: number | undefined;
  readonly lastEndMs: number | undefined;
}

export interface ClosedWindow {
  readonly id: string;
  readonly project: string;
  readonly monitor: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly champion: { readonly model: string; readonly version: number } | undefined;
  readonly predictions: number;
  readonly labelled: number;
  readonly state: WindowRow['state'];
  readonly drifted: readonly string[];
  readonly driftStartMs: number | undefined;
  readonly verdicts: readonly Verdict[];
  readonly parts: readonly WindowPart[];
  readonly closedMs: number;
}

type Result = Pick<ClosedWindow, 'drifted' | 'verdicts' | 'parts'> & { readonly driftStartMs?: number };

const rowToMonitor = (row: Omit<MonitorRow, 'updated_ms'>): Monitor => ({
  project: row.project,
  name: row.name,
  deployment: row.deployment,
  spec: parseJson<MonitorSpec>(row.spec),
  generation: row.generation,
  fromMs: row.from_ms ?? undefined,
  lastEndMs: row.last_end_ms ?? undefined,
});

const selectMonitors = (reader: Reader, project: string) =>
  reader
    .query<MonitoringTables>()
    .selectFrom('monitors')
    .select([
      'monitors.project',
      'monitors.name',
      'monitors.deployment',
      'monitors.spec',
      'monitors.generation',
      'monitors.from_ms',
      'monitors.last_end_ms',
    ])
    .where('monitors.project', '=', project)
    .orderBy('monitors.name');

export async function findMonitor(reader: Reader, project: string, name: string): Promise<Monitor | undefined> {
  const row = await selectMonitors(reader, project).where('monitors.name', '=', name).executeTakeFirst();
  return row && rowToMonitor(row);
}

export async function listMonitors(
  reader: Reader,
  project: string,
  filter: { readonly deployment?: string; readonly after?: string; readonly limit?: number } = {},
): Promise<readonly Monitor[]> {
  let query = selectMonitors(reader, project);
  if (filter.deployment !== undefined) query = query.where('monitors.deployment', '=', filter.deployment);
  if (filter.after !== undefined) query = query.where('monitors.name', '>', filter.after);
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  return (await query.execute()).map(rowToMonitor);
}

/** `fromMs` is kept of a monitor that is there already. Answers the generation. */
export async function upsertMonitor(
  unit: Unit,
  monitor: Pick<Monitor, 'project' | 'name' | 'deployment' | 'spec' | 'fromMs'>,
): Promise<number> {
  const { project, name, deployment } = monitor;
  const before = await findMonitor(unit, project, name);
  const generation = (before?.generation ?? 0) + 1;
  const changed = { deployment, spec: JSON.stringify(monitor.spec), generation, updated_ms: unit.nowMs };
  await unit
    .query<MonitoringTables>()
    .insertInto('monitors')
    .values({ project, name, ...changed, from_ms: monitor.fromMs ?? null, last_end_ms: null })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(changed))
    .execute();
  return generation;
}

/** Its windows go with it. */
export async function deleteMonitor(unit: Unit, project: string, name: string): Promise<void> {
  await unit
    .query<MonitoringTables>()
    .deleteFrom('monitor_windows')
    .where('monitor_windows.project', '=', project)
    .where('monitor_windows.monitor', '=', name)
    .execute();
  await unit
    .query<MonitoringTables>()
    .deleteFrom('monitors')
    .where('monitors.project', '=', project)
    .where('monitors.name', '=', name)
    .execute();
}

/** False when another has closed this window: then nothing is changed. */
export async function insertWindow(
  unit: Unit,
  window: Omit<ClosedWindow, 'closedMs'>,
  lastEndMs: number | undefined,
): Promise<boolean> {
  const { project, monitor, endMs } = window;
  let update = unit
    .query<MonitoringTables>()
    .updateTable('monitors')
    .set({ last_end_ms: endMs })
    .where('monitors.project', '=', project)
    .where('monitors.name', '=', monitor);
  update =
    lastEndMs === undefined
      ? update.where('monitors.last_end_ms', 'is', null)
      : update.where('monitors.last_end_ms', '=', lastEndMs);
  const { numUpdatedRows } = await update.executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  const { drifted, verdicts, parts, driftStartMs } = window;
  const result: Result = { drifted, verdicts, parts, ...(driftStartMs !== undefined && { driftStartMs }) };
  await unit
    .query<MonitoringTables>()
    .insertInto('monitor_windows')
    .values({
      id: window.id,
      project,
      monitor,
      start_ms: window.startMs,
      end_ms: endMs,
      model: window.champion?.model ?? null,
      version: window.champion?.version ?? null,
      predictions: window.predictions,
      labelled: window.labelled,
      state: window.state,
      drifted: drifted.length,
      result: JSON.stringify(result),
      closed_ms: unit.nowMs,
    })
    .execute();
  return true;
}

function rowToWindow(row: Omit<WindowRow, 'drifted'>): ClosedWindow {
  const { driftStartMs, ...result } = parseJson<Result>(row.result);
  return {
    id: row.id,
    project: row.project,
    monitor: row.monitor,
    startMs: row.start_ms,
    endMs: row.end_ms,
    champion: row.model === null || row.version === null ? undefined : { model: row.model, version: row.version },
    predictions: row.predictions,
    labelled: row.labelled,
    state: row.state,
    driftStartMs,
    ...result,
    closedMs: row.closed_ms,
  };
}

const selectWindows = (reader: Reader, project: string, monitor: string) =>
  reader
    .query<MonitoringTables>()
    .selectFrom('monitor_windows')
    .select([
      'monitor_windows.id',
      'monitor_windows.project',
      'monitor_windows.monitor',
      'monitor_windows.start_ms',
      'monitor_windows.end_ms',
      'monitor_windows.model',
      'monitor_windows.version',
      'monitor_windows.predictions',
      'monitor_windows.labelled',
      'monitor_windows.state',
      'monitor_windows.result',
      'monitor_windows.closed_ms',
    ])
    .where('monitor_windows.project', '=', project)
    .where('monitor_windows.monitor', '=', monitor);

/** Newest first. */
export async function listWindows(
  reader: Reader,
  project: string,
  monitor: string,
  page: { readonly beforeEndMs?: number; readonly limit: number },
): Promise<readonly ClosedWindow[]> {
  let query = selectWindows(reader, project, monitor).orderBy('monitor_windows.end_ms', 'desc').limit(page.limit);
  if (page.beforeEndMs !== undefined) query = query.where('monitor_windows.end_ms', '<', page.beforeEndMs);
  return (await query.execute()).map(rowToWindow);
}
