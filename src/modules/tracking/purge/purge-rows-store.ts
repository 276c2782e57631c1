import { type RawBuilder, sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { unlistRun } from '../run-listing-store.ts';
import type { TrackingTables } from '../tracking-tables.ts';

/** What a purge takes its runs and models from: an experiment, or whatever was deleted in a project by an instant. */
export type PurgeScope =
  | { readonly experimentKey: number }
  | { readonly project: string; readonly deletedBeforeMs: number };

/** Some of them, in no order: nothing is sorted for each fifty that are taken. */
export async function listRunsOf(reader: Reader, scope: PurgeScope, most?: number): Promise<readonly string[]> {
  let select = reader.query<TrackingTables>().selectFrom('tracking_runs').select('tracking_runs.run_id');
  select =
    'experimentKey' in scope
      ? select.where('tracking_runs.experiment_key', '=', scope.experimentKey)
      : select
          .where('tracking_runs.project', '=', scope.project)
          .where('tracking_runs.lifecycle', '=', 'deleted')
          .where('tracking_runs.deleted_ms', '<=', scope.deletedBeforeMs);
  if (most !== undefined) select = select.limit(most);
  const rows = await select.execute();
  return rows.map((row) => row.run_id);
}

export async function listModelsOf(reader: Reader, scope: PurgeScope, most?: number): Promise<readonly string[]> {
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .select('tracking_logged_models.model_id');
  select =
    'experimentKey' in scope
      ? select.where('tracking_logged_models.experiment_key', '=', scope.experimentKey)
      : select
          .where('tracking_logged_models.project', '=', scope.project)
          .where('tracking_logged_models.deleted_ms', '<=', scope.deletedBeforeMs);
  // Those that an item stands for are being emptied already.
  select = select.where(
    sql<boolean>`not exists (select 1 from tracking_purge_items
      where tracking_purge_items.item_ref = 'logged-model:' || tracking_logged_models.model_id)`,
  );
  if (most !== undefined) select = select.limit(most);
  const rows = await select.execute();
  return rows.map((row) => row.model_id);
}

/** Deleted experiments of a project, apart from the one that each project has. */
export async function listDeletedExperiments(
  reader: Reader,
  scope: { readonly project: string; readonly deletedBeforeMs: number },
  most?: number,
): Promise<readonly { readonly experimentKey: number; readonly experimentId: number }[]> {
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(['tracking_experiments.experiment_key', 'tracking_experiments.experiment_id'])
    .where('tracking_experiments.project', '=', scope.project)
    .where('tracking_experiments.lifecycle', '=', 'deleted')
    .where('tracking_experiments.experiment_id', '>', 0)
    // nothing is written to a deleted experiment: its last change is its deletion
    .where('tracking_experiments.updated_ms', '<=', scope.deletedBeforeMs);
  if (most !== undefined) select = select.limit(most);
  const rows = await select.execute();
  return rows.map((row) => ({ experimentKey: row.experiment_key, experimentId: row.experiment_id }));
}

/** Projects that have something which was deleted by then. */
export async function listProjectsWithDeleted(reader: Reader, deletedBeforeMs: number): Promise<readonly string[]> {
  const { rows } = await sql<{ project: string }>`
    select tracking_experiments.project from tracking_experiments
      where tracking_experiments.lifecycle = 'deleted' and tracking_experiments.experiment_id > 0
        and tracking_experiments.updated_ms <= ${deletedBeforeMs} and tracking_experiments.artifact_location <> ''
    union select tracking_runs.project from tracking_runs
      where tracking_runs.deleted_ms <= ${deletedBeforeMs} and tracking_runs.lifecycle = 'deleted'
    union select tracking_logged_models.project from tracking_logged_models
      where tracking_logged_models.deleted_ms <= ${deletedBeforeMs}
    order by 1`.execute(reader.query<TrackingTables>());
  return rows.map((row) => row.project);
}

/**
 * Removes a run's row, and with it all but its points and files: params, tags, latest points, inputs, and the data sets that
 * no other run has read. Answers how many points waited to be put in order.
 */
export async function deleteRun(unit: Unit, runId: string): Promise<number> {
  const query = unit.query<TrackingTables>();
  const run = await query
    .selectFrom('tracking_runs')
    .select('tracking_runs.listing')
    .where('tracking_runs.run_id', '=', runId)
    .executeTakeFirst();
  if (run?.listing === 'listed') await unlistRun(unit, runId);
  const waiting = await query
    .selectFrom('tracking_metric_batches')
    .select((of) => of.fn.sum<number | null>('tracking_metric_batches.point_count').as('points'))
    .where('tracking_metric_batches.run_id', '=', runId)
    .executeTakeFirst();
  const inputs = await query
    .selectFrom('tracking_inputs')
    .select('tracking_inputs.dataset_key')
    .where('tracking_inputs.run_id', '=', runId)
    .execute();
  // PostgreSQL has no foreign key for these (0150-log-rows.postgres.sql)
  for (const table of ['tracking_params', 'tracking_run_tags', 'tracking_latest_metrics', 'tracking_metric_batches'])
    await sql`delete from ${sql.table(table)} where ${sql.ref(`${table}.run_id`)} = ${runId}`.execute(query);
  await query.deleteFrom('tracking_runs').where('tracking_runs.run_id', '=', runId).execute();
  if (inputs.length > 0)
    await query
      .deleteFrom('tracking_datasets')
      .where(
        inList(
          unit,
          'tracking_datasets.dataset_key',
          inputs.map((input) => input.dataset_key),
        ),
      )
      .where(
        sql<boolean>`not exists (select 1 from tracking_inputs
          where tracking_inputs.dataset_key = tracking_datasets.dataset_key)`,
      )
      .execute();
  return waiting?.points ?? 0;
}

/** A table of points in the order of its key, whose first column is the owner. */
interface Points {
  readonly table: 'tracking_metrics' | 'tracking_logged_model_metrics';
  readonly owner: 'run_id' | 'model_id';
  readonly rest: readonly string[];
}
export const runPoints: Points = {
  table: 'tracking_metrics',
  owner: 'run_id',
  rest: ['metric_key', 'timestamp_ms', 'step', 'value', 'special'],
};
export const modelPoints: Points = {
  table: 'tracking_logged_model_metrics',
  owner: 'model_id',
  rest: ['metric_key', 'run_id', 'timestamp_ms', 'step', 'value', 'special'],
};

/** Removes the first points of an owner, so many at most: a range of the key, which is how they lie. Answers how many. */
export async function deletePoints(unit: Unit, { table, owner, rest }: Points, id: string, most: number) {
  const query = unit.query<TrackingTables>();
  const columns = sql.join(rest.map((column) => sql.ref(`${table}.${column}`)));
  const { rows } = await sql<Record<string, string | number>>`
    select ${columns} from ${sql.table(table)} where ${sql.ref(`${table}.${owner}`)} = ${id}
    order by ${columns} limit 1 offset ${most}`.execute(query);
  const next = rows[0];
  const before: RawBuilder<unknown> =
    next === undefined ? sql`` : sql` and (${columns}) < (${sql.join(rest.map((column) => sql.val(next[column])))})`;
  const { numAffectedRows } = await sql`delete from ${sql.table(table)}
    where ${sql.ref(`${table}.${owner}`)} = ${id}${before}`.execute(query);
  return Number(numAffectedRows ?? 0n);
}

export async function hideModels(unit: Unit, modelIds: readonly string[]): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_logged_models')
    .set({ deleted_ms: unit.nowMs })
    .where(inList(unit, 'tracking_logged_models.model_id', modelIds))
    .where('tracking_logged_models.deleted_ms', 'is', null)
    .execute();
}

/** Removes a logged model's row with its params and tags; false when it was not there. */
export async function deleteModel(unit: Unit, modelId: string): Promise<boolean> {
  const { numDeletedRows } = await unit
    .query<TrackingTables>()
    .deleteFrom('tracking_logged_models')
    .where('tracking_logged_models.model_id', '=', modelId)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

/** Answers how many went. Data sets have schemas and profiles, so that few are much. */
export async function deleteDatasets(unit: Unit, experimentKey: number, most: number): Promise<number> {
  const query = unit.query<TrackingTables>();
  const rows = await query
    .selectFrom('tracking_datasets')
    .select('tracking_datasets.dataset_key')
    .where('tracking_datasets.experiment_key', '=', experimentKey)
    .limit(most)
    .execute();
  if (rows.length === 0) return 0;
  await query
    .deleteFrom('tracking_datasets')
    .where(
      inList(
        unit,
        'tracking_datasets.dataset_key',
        rows.map((row) => row.dataset_key),
      ),
    )
    .execute();
  return rows.length;
}

/** Where files lie that go: those of an owner, or all below a folder. */
export type FilesOf = { readonly owner: string } | { readonly folder: string };

const filesWhere = (reader: Pick<Reader, 'dialect'>, of: FilesOf): RawBuilder<unknown> =>
  'owner' in of ? sql`tracking_artifacts.owner = ${of.owner}` : inFolder(reader, of.folder);

/** The folder is a number: no character of it is a wildcard. SQLite finds a range by its index, and does not so for `like`. */
const inFolder = (reader: Pick<Reader, 'dialect'>, folder: string): RawBuilder<unknown> =>
  reader.dialect === 'sqlite'
    ? sql`(tracking_artifacts.parent = ${folder}
        or tracking_artifacts.parent >= ${`${folder}/`} and tracking_artifacts.parent < ${`${folder}0`})`
    : sql`(tracking_artifacts.parent = ${folder} or tracking_artifacts.parent like ${`${folder}/%`})`;

export interface RemovedFile {
  readonly owner: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Removes files from the tree, so many at most; their bytes are still held. */
export async function deleteFiles(
  unit: Unit,
  project: string,
  of: FilesOf,
  most: number,
): Promise<readonly RemovedFile[]> {
  const { rows } = await sql<{ owner: string; sha256: string; size_bytes: number }>`
    delete from tracking_artifacts where (project, parent, name) in (
      select tracking_artifacts.project, tracking_artifacts.parent, tracking_artifacts.name from tracking_artifacts
      where tracking_artifacts.project = ${project} and tracking_artifacts.is_folder = 0 and ${filesWhere(unit, of)}
      limit ${most})
    returning owner, sha256, size_bytes`.execute(unit.query<TrackingTables>());
  return rows.map((row) => ({ owner: row.owner, sha256: row.sha256, sizeBytes: row.size_bytes }));
}

/** Of these digests, those that the owner still has under another path. */
export async function listStillHeld(
  reader: Reader,
  project: string,
  owner: string,
  digests: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_artifacts')
    .select('tracking_artifacts.sha256')
    .distinct()
    .where('tracking_artifacts.project', '=', project)
    .where('tracking_artifacts.owner', '=', owner)
    .where(inList(reader, 'tracking_artifacts.sha256', digests))
    .execute();
  return new Set(rows.flatMap((row) => row.sha256 ?? []));
}

/**
 * Removes the folders that were an owner's alone: whose path goes through `id`, a run's or a logged model's. The folders
 * above, which the first who wrote there made, are everybody's.
 */
export async function deleteFolders(
  unit: Unit,
  { project, owner, id }: { readonly project: string; readonly owner: string; readonly id: string },
  most: number,
): Promise<number> {
  const inPath =
    unit.dialect === 'sqlite'
      ? sql`instr(tracking_artifacts.parent, ${id}) > 0`
      : sql`strpos(tracking_artifacts.parent, ${id}) > 0`;
  const { numAffectedRows } = await sql`delete from tracking_artifacts where (project, parent, name) in (
      select tracking_artifacts.project, tracking_artifacts.parent, tracking_artifacts.name from tracking_artifacts
      where tracking_artifacts.project = ${project} and tracking_artifacts.owner = ${owner}
        and tracking_artifacts.is_folder = 1 and (tracking_artifacts.name = ${id} or ${inPath})
      limit ${most})`.execute(unit.query<TrackingTables>());
  return Number(numAffectedRows ?? 0n);
}

/** Removes the folders at and below a path. */
export async function deleteFoldersBelow(unit: Unit, project: string, folder: string, most: number): Promise<number> {
  const { numAffectedRows } = await sql`delete from tracking_artifacts where (project, parent, name) in (
      select tracking_artifacts.project, tracking_artifacts.parent, tracking_artifacts.name from tracking_artifacts
      where tracking_artifacts.project = ${project} and tracking_artifacts.is_folder = 1
        and ((tracking_artifacts.parent = '' and tracking_artifacts.name = ${folder})
          or ${inFolder(unit, folder)})
      limit ${most})`.execute(unit.query<TrackingTables>());
  return Number(numAffectedRows ?? 0n);
}
