import { sql } from 'kysely';
import { parseReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import type { PurgeItemRow, PurgeRow, TrackingTables } from '../tracking-tables.ts';

/** What has gone, or would go. */
export interface PurgeCount {
  readonly experiments: number;
  readonly runs: number;
  readonly loggedModels: number;
  readonly points: number;
  readonly files: number;
  readonly sizeBytes: number;
}

export interface Purge {
  readonly purgeId: string;
  readonly project: string;
  readonly target: string;
  readonly state: 'open' | 'done';
  readonly deletedBeforeMs: number | undefined;
  readonly requestedBy: string;
  readonly requestedMs: number;
  readonly endedMs: number | undefined;
  readonly removed: PurgeCount;
  /** It could not go on and is tried again. */
  readonly failure: PurgeFailure | undefined;
}

export interface PurgeFailure {
  /** Failed one after another. */
  readonly attempts: number;
  readonly message: string;
  readonly nextAttemptMs: number;
}

export const nothing: PurgeCount = { experiments: 0, runs: 0, loggedModels: 0, points: 0, files: 0, sizeBytes: 0 };

export const addCounts = (one: PurgeCount, other: Partial<PurgeCount>): PurgeCount => ({
  experiments: one.experiments + (other.experiments ?? 0),
  runs: one.runs + (other.runs ?? 0),
  loggedModels: one.loggedModels + (other.loggedModels ?? 0),
  points: one.points + (other.points ?? 0),
  files: one.files + (other.files ?? 0),
  sizeBytes: one.sizeBytes + (other.sizeBytes ?? 0),
});

const purgeColumns = [
  'tracking_purges.purge_id',
  'tracking_purges.project',
  'tracking_purges.target',
  'tracking_purges.state',
  'tracking_purges.deleted_before_ms',
  'tracking_purges.requested_by',
  'tracking_purges.requested_ms',
  'tracking_purges.ended_ms',
  'tracking_purges.experiment_count',
  'tracking_purges.run_count',
  'tracking_purges.model_count',
  'tracking_purges.point_count',
  'tracking_purges.file_count',
  'tracking_purges.size_bytes',
  'tracking_purges.attempts',
  'tracking_purges.failure',
  'tracking_purges.next_attempt_ms',
] as const;

const rowToPurge = (row: PurgeRow): Purge => ({
  purgeId: row.purge_id,
  project: row.project,
  target: row.target,
  state: row.state,
  deletedBeforeMs: row.deleted_before_ms ?? undefined,
  requestedBy: row.requested_by,
  requestedMs: row.requested_ms,
  endedMs: row.ended_ms ?? undefined,
  removed: {
    experiments: row.experiment_count,
    runs: row.run_count,
    loggedModels: row.model_count,
    points: row.point_count,
    files: row.file_count,
    sizeBytes: row.size_bytes,
  },
  failure:
    row.failure === null
      ? undefined
      : { attempts: row.attempts, message: row.failure, nextAttemptMs: row.next_attempt_ms },
});

export async function insertPurge(
  unit: Unit,
  purge: { readonly project: string; readonly target: string; readonly deletedBeforeMs?: number | undefined },
): Promise<Purge> {
  const row: PurgeRow = {
    purge_id: unit.newId(),
    project: purge.project,
    target: purge.target,
    state: 'open',
    deleted_before_ms: purge.deletedBeforeMs ?? null,
    requested_by: unit.context.actor,
    requested_ms: unit.nowMs,
    ended_ms: null,
    experiment_count: 0,
    run_count: 0,
    model_count: 0,
    point_count: 0,
    file_count: 0,
    size_bytes: 0,
    attempts: 0,
    failure: null,
    next_attempt_ms: 0,
  };
  await unit.query<TrackingTables>().insertInto('tracking_purges').values(row).execute();
  return rowToPurge(row);
}

export async function findPurge(reader: Reader, project: string, purgeId: string): Promise<Purge | undefined> {
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_purges')
    .select(purgeColumns)
    .where('tracking_purges.project', '=', project)
    .where('tracking_purges.purge_id', '=', purgeId)
    .executeTakeFirst();
  return row && rowToPurge(row);
}

/** The newest first, before `beforeId`. */
export async function listPurges(
  reader: Reader,
  project: string,
  page: { readonly limit: number; readonly beforeId: string | undefined },
): Promise<readonly Purge[]> {
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_purges')
    .select(purgeColumns)
    .where('tracking_purges.project', '=', project);
  if (page.beforeId !== undefined) select = select.where('tracking_purges.purge_id', '<', page.beforeId);
  return (await select.orderBy('tracking_purges.purge_id', 'desc').limit(page.limit).execute()).map(rowToPurge);
}

/** The one to go on with; those that failed come when their time has. */
export async function findOpenPurge(reader: Reader, nowMs: number): Promise<Purge | undefined> {
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_purges')
    .select(purgeColumns)
    .where('tracking_purges.state', '=', 'open')
    .where('tracking_purges.next_attempt_ms', '<=', nowMs)
    .orderBy('tracking_purges.next_attempt_ms')
    .orderBy('tracking_purges.purge_id')
    .limit(1)
    .executeTakeFirst();
  return row && rowToPurge(row);
}

/** When the first of those that wait is to be tried again. */
export async function findNextAttemptMs(reader: Reader): Promise<number | undefined> {
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_purges')
    .select('tracking_purges.next_attempt_ms')
    .where('tracking_purges.state', '=', 'open')
    .orderBy('tracking_purges.next_attempt_ms')
    .limit(1)
    .executeTakeFirst();
  return row?.next_attempt_ms;
}

/** Says that a purge could not go on, or, without a failure, that it does. */
export async function putFailure(unit: Unit, purgeId: string, failure: PurgeFailure | undefined): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_purges')
    .set({
      attempts: failure?.attempts ?? 0,
      failure: failure?.message ?? null,
      next_attempt_ms: failure?.nextAttemptMs ?? 0,
    })
    .where('tracking_purges.purge_id', '=', purgeId)
    .execute();
}

/** Projects in which a purge of everything deleted is open. */
export async function listProjectsBeingPurged(reader: Reader): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_purges')
    .select('tracking_purges.project')
    .where('tracking_purges.state', '=', 'open')
    .where('tracking_purges.deleted_before_ms', 'is not', null)
    .execute();
  return new Set(rows.map((row) => row.project));
}

export async function countRemoved(unit: Unit, purgeId: string, more: PurgeCount): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_purges')
    .set({
      experiment_count: sql`experiment_count + ${more.experiments}`,
      run_count: sql`run_count + ${more.runs}`,
      model_count: sql`model_count + ${more.loggedModels}`,
      point_count: sql`point_count + ${more.points}`,
      file_count: sql`file_count + ${more.files}`,
      size_bytes: sql`size_bytes + ${more.sizeBytes}`,
    })
    .where('tracking_purges.purge_id', '=', purgeId)
    .execute();
}

/** False when another control plane has ended it. */
export async function endPurge(unit: Unit, purgeId: string): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<TrackingTables>()
    .updateTable('tracking_purges')
    .set({ state: 'done', ended_ms: unit.nowMs })
    .where('tracking_purges.purge_id', '=', purgeId)
    .where('tracking_purges.state', '=', 'open')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Taken by a purge and not emptied yet. */
export interface PurgeItem {
  readonly ref: string;
  readonly kind: 'tracking-run' | 'logged-model' | 'experiment';
  readonly id: string;
  readonly experimentKey: number | undefined;
}

/** Runs and models are emptied before the experiment that they came from. */
const ordinalOf = (item: PurgeItem) => (item.kind === 'experiment' ? 1 : 0);

const rowsAtOnce = 200;

export async function insertItems(unit: Unit, purgeId: string, items: readonly PurgeItem[]): Promise<void> {
  const rows: PurgeItemRow[] = items.map((item) => ({
    purge_id: purgeId,
    ordinal: ordinalOf(item),
    item_ref: item.ref,
    experiment_key: item.experimentKey ?? null,
  }));
  for (let at = 0; at < rows.length; at += rowsAtOnce)
    await unit
      .query<TrackingTables>()
      .insertInto('tracking_purge_items')
      .values(rows.slice(at, at + rowsAtOnce))
      .onConflict((conflict) => conflict.columns(['purge_id', 'ordinal', 'item_ref']).doNothing())
      .execute();
}

export async function findItem(reader: Reader, purgeId: string): Promise<PurgeItem | undefined> {
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_purge_items')
    .select(['tracking_purge_items.item_ref', 'tracking_purge_items.experiment_key'])
    .where('tracking_purge_items.purge_id', '=', purgeId)
    .orderBy('tracking_purge_items.ordinal')
    .orderBy('tracking_purge_items.item_ref')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const reference = parseReference(row.item_ref);
  if (reference === undefined) throw new Error(`a purge holds ${row.item_ref}, which is no reference`);
  const kind = reference.kind as PurgeItem['kind']; // only these are ever written, above
  return { ref: row.item_ref, kind, id: reference.name, experimentKey: row.experiment_key ?? undefined };
}

export async function deleteItem(unit: Unit, purgeId: string, item: PurgeItem): Promise<void> {
  await unit
    .query<TrackingTables>()
    .deleteFrom('tracking_purge_items')
    .where('tracking_purge_items.purge_id', '=', purgeId)
    .where('tracking_purge_items.ordinal', '=', ordinalOf(item))
    .where('tracking_purge_items.item_ref', '=', item.ref)
    .execute();
}
