import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { jsonRows } from './json-rows-store.ts';
import type { ArtifactRow, TrackingTables } from './tracking-tables.ts';
import type { ArtifactEntry } from './tracking-types.ts';

const artifactColumns = [
  'tracking_artifacts.project',
  'tracking_artifacts.parent',
  'tracking_artifacts.name',
  'tracking_artifacts.is_folder',
  'tracking_artifacts.owner',
  'tracking_artifacts.sha256',
  'tracking_artifacts.size_bytes',
  'tracking_artifacts.updated_ms',
] as const;

const joinPath = (parent: string, name: string) => (parent === '' ? name : `${parent}/${name}`);

/** `a/b/c` as its folder `a/b` and its name `c`. */
export function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}

/** The folders above a path, the topmost first. */
export function foldersAbove(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

const rowToEntry = (row: ArtifactRow): ArtifactEntry => ({
  path: joinPath(row.parent, row.name),
  isFolder: row.is_folder === 1,
  sha256: row.sha256 ?? undefined,
  sizeBytes: row.size_bytes,
});

export async function findArtifact(
  reader: Reader,
  project: string,
  path: string,
): Promise<(ArtifactEntry & { readonly owner: string }) | undefined> {
  const { parent, name } = splitPath(path);
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_artifacts')
    .select(artifactColumns)
    .where('tracking_artifacts.project', '=', project)
    .where('tracking_artifacts.parent', '=', parent)
    .where('tracking_artifacts.name', '=', name)
    .executeTakeFirst();
  return row && { ...rowToEntry(row), owner: row.owner };
}

/** What lies in one folder, by name. */
export async function listFolder(reader: Reader, project: string, folder: string): Promise<ArtifactEntry[]> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_artifacts')
    .select(artifactColumns)
    .where('tracking_artifacts.project', '=', project)
    .where('tracking_artifacts.parent', '=', folder)
    .orderBy('tracking_artifacts.name')
    .execute();
  return rows.map(rowToEntry);
}

/** Everything below a folder, folders included, by path. */
export async function listTree(
  reader: Reader,
  project: string,
  folder: string,
): Promise<readonly (ArtifactEntry & { readonly owner: string })[]> {
  const { rows } = await sql<ArtifactRow>`
    with recursive tree (parent, name, is_folder, owner, sha256, size_bytes) as (
      select parent, name, is_folder, owner, sha256, size_bytes from tracking_artifacts
      where project = ${project} and parent = ${folder}
      union all
      select below.parent, below.name, below.is_folder, below.owner, below.sha256, below.size_bytes
      from tracking_artifacts as below
      inner join tree on tree.is_folder = 1
        and below.parent = case when tree.parent = '' then tree.name else tree.parent || '/' || tree.name end
      where below.project = ${project}
    )
    select parent, name, is_folder, owner, sha256, size_bytes from tree order by parent, name`.execute(
    reader.query<TrackingTables>(),
  );
  return rows.map((row) => ({ ...rowToEntry(row), owner: row.owner }));
}

export async function putFile(unit: Unit, row: ArtifactRow): Promise<void> {
  await unit
    .query<TrackingTables>()
    .insertInto('tracking_artifacts')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['project', 'parent', 'name']).doUpdateSet({
        owner: row.owner,
        sha256: row.sha256,
        size_bytes: row.size_bytes,
        updated_ms: row.updated_ms,
      }),
    )
    .execute();
}

/** Makes folders that are not there. */
export async function putFolders(
  unit: Unit,
  project: string,
  owner: string,
  folders: readonly string[],
): Promise<void> {
  if (folders.length === 0) return;
  const { columns, from } = jsonRows(
    unit,
    ['text', 'text', 'smallint', 'text', 'bigint'],
    folders.map((folder) => {
      const { parent, name } = splitPath(folder);
      return [parent, name, 1, owner, unit.nowMs];
    }),
  );
  await sql`insert into tracking_artifacts (project, parent, name, is_folder, owner, updated_ms)
    select ${project}, ${columns} from ${from} where true
    on conflict (project, parent, name) do nothing`.execute(unit.query<TrackingTables>());
}

/** Those of these paths at which something lies, or a file. */
export async function findPaths(
  reader: Reader,
  project: string,
  paths: readonly string[],
  only: { readonly files?: boolean } = {},
): Promise<readonly string[]> {
  const { columns, from } = jsonRows(
    reader,
    ['text', 'text'],
    paths.map((path) => {
      const { parent, name } = splitPath(path);
      return [parent, name];
    }),
  );
  const { rows } = await sql<{ parent: string; name: string }>`
    select tracking_artifacts.parent, tracking_artifacts.name from tracking_artifacts
    where tracking_artifacts.project = ${project}${only.files ? sql` and tracking_artifacts.is_folder = 0` : sql``}
      and (tracking_artifacts.parent, tracking_artifacts.name) in (select ${columns} from ${from})`.execute(
    reader.query<TrackingTables>(),
  );
  return rows.map(({ parent, name }) => joinPath(parent, name));
}

export async function deletePaths(unit: Unit, project: string, paths: readonly string[]): Promise<void> {
  const { columns, from } = jsonRows(
    unit,
    ['text', 'text'],
    paths.map((path) => {
      const { parent, name } = splitPath(path);
      return [parent, name];
    }),
  );
  await sql`delete from tracking_artifacts where project = ${project}
    and (parent, name) in (select ${columns} from ${from})`.execute(unit.query<TrackingTables>());
}

/** True when an owner still has a file with these bytes. */
export async function isHeld(reader: Reader, project: string, owner: string, sha256: string): Promise<boolean> {
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_artifacts')
    .select('tracking_artifacts.name')
    .where('tracking_artifacts.project', '=', project)
    .where('tracking_artifacts.owner', '=', owner)
    .where('tracking_artifacts.sha256', '=', sha256)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
