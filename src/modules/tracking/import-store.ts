import { sql } from 'kysely';
import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { jsonRows } from './json-rows-store.ts';
import { countWaitingPoints } from './metric-batch-store.ts';
import { runColumns } from './run-store.ts';
import type { ImportMarkRow, LoggedModelRow, RunRow, TrackingTables } from './tracking-tables.ts';

/** Rows of these ids in whatever project: an id is unique over all of them. */
export function listRunsAnywhere(reader: Reader, ids: readonly string[]): Promise<RunRow[]> {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_runs')
    .select(runColumns)
    .where(inList(reader, 'tracking_runs.run_id', ids))
    .execute();
}

export function listModelsAnywhere(
  reader: Reader,
  ids: readonly string[],
): Promise<Pick<LoggedModelRow, 'model_id' | 'project'>[]> {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .select(['tracking_logged_models.model_id', 'tracking_logged_models.project'])
    .where(inList(reader, 'tracking_logged_models.model_id', ids))
    .execute();
}

/** Of these ids, one that an open purge has taken, or will with its experiment. */
export async function findBeingPurged(
  reader: Reader,
  kind: 'tracking-run' | 'logged-model',
  ids: readonly string[],
): Promise<string | undefined> {
  const [table, column] =
    kind === 'tracking-run' ? ['tracking_runs', 'run_id'] : ['tracking_logged_models', 'model_id'];
  const refs = ids.map((id) => formatReference(kind, id));
  const { rows } = await sql<{ ref: string }>`
    select tracking_purge_items.item_ref as ref from tracking_purge_items
      where ${inList(reader, 'tracking_purge_items.item_ref', refs)}
    union all select ${sql.ref(`${table}.${column}`)} from ${sql.table(table)}
      where ${inList(reader, `${table}.${column}`, ids)} and ${sql.ref(`${table}.experiment_key`)} in
        (select tracking_purge_items.experiment_key from tracking_purge_items
          where tracking_purge_items.experiment_key is not null)
    limit 1`.execute(reader.query<TrackingTables>());
  return rows[0]?.ref;
}

export async function putMarks(unit: Unit, rows: readonly ImportMarkRow[]): Promise<void> {
  const { columns, from } = jsonRows(
    unit,
    ['text', 'text', 'text', 'bigint', 'bigint', 'bigint', 'text', 'bigint'],
    rows.map((row) => [
      row.project,
      row.id,
      row.print,
      row.points,
      row.files,
      row.file_bytes,
      row.files_digest,
      row.marked_ms,
    ]),
  );
  await sql`insert into tracking_import_marks
      (project, id, print, points, files, file_bytes, files_digest, marked_ms)
    select ${columns} from ${from} where true
    on conflict (project, id) do update set print = excluded.print, points = excluded.points, files = excluded.files,
      file_bytes = excluded.file_bytes, files_digest = excluded.files_digest, marked_ms = excluded.marked_ms`.execute(
    unit.query<TrackingTables>(),
  );
}

export async function deleteMark(unit: Unit, project: string, id: string): Promise<void> {
  await unit
    .query<TrackingTables>()
    .deleteFrom('tracking_import_marks')
    .where('tracking_import_marks.project', '=', project)
    .where('tracking_import_marks.id', '=', id)
    .execute();
}

export async function listMarks(
  reader: Reader,
  project: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ImportMarkRow>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_import_marks')
    .select([
      'tracking_import_marks.project',
      'tracking_import_marks.id',
      'tracking_import_marks.print',
      'tracking_import_marks.points',
      'tracking_import_marks.files',
      'tracking_import_marks.file_bytes',
      'tracking_import_marks.files_digest',
      'tracking_import_marks.marked_ms',
    ])
    .where('tracking_import_marks.project', '=', project)
    .where(inList(reader, 'tracking_import_marks.id', ids))
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

type CountedTable =
  | 'tracking_metrics'
  | 'tracking_params'
  | 'tracking_run_tags'
  | 'tracking_logged_model_params'
  | 'tracking_logged_model_tags';

/** How many rows of a table each owner has. */
export async function countRows(
  reader: Reader,
  table: CountedTable,
  owner: 'run_id' | 'model_id',
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ id: string; rows: number }>`
    select ${sql.ref(owner)} as id, count(*) as rows from ${sql.table(table)}
    where ${inList(reader, `${table}.${owner}`, ids)} group by ${sql.ref(owner)}`.execute(
    reader.query<TrackingTables>(),
  );
  return new Map(rows.map((row) => [row.id, row.rows]));
}

/** Points of each run, those that wait to be put in order too. */
export async function countPoints(reader: Reader, runIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const ordered = await countRows(reader, 'tracking_metrics', 'run_id', runIds);
  const waiting = await countWaitingPoints(reader, runIds);
  return new Map(runIds.map((id) => [id, (ordered.get(id) ?? 0) + (waiting.get(id) ?? 0)]));
}

/** The files that each of these owners holds. */
export async function listFilesOfOwners(
  reader: Reader,
  project: string,
  owners: readonly string[],
): Promise<
  ReadonlyMap<string, readonly { readonly path: string; readonly sha256: string; readonly sizeBytes: number }[]>
> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_artifacts')
    .select([
      'tracking_artifacts.owner',
      'tracking_artifacts.parent',
      'tracking_artifacts.name',
      'tracking_artifacts.sha256',
      'tracking_artifacts.size_bytes',
    ])
    .where('tracking_artifacts.project', '=', project)
    .where('tracking_artifacts.is_folder', '=', 0)
    .where(inList(reader, 'tracking_artifacts.owner', owners))
    .execute();
  const files = new Map<string, { path: string; sha256: string; sizeBytes: number }[]>();
  for (const row of rows) {
    const list = files.get(row.owner) ?? [];
    const path = row.parent === '' ? row.name : `${row.parent}/${row.name}`;
    list.push({ path, sha256: row.sha256 ?? '', sizeBytes: row.size_bytes });
    files.set(row.owner, list);
  }
  return files;
}
