import { findRunnable } from '#contracts/servable-version';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { RegistryTables, VersionRow } from './registry-tables.ts';
import type { Json, ModelVersion, Tag, VersionFile } from './registry-types.ts';

export const versionColumns = [
  'registry_versions.model_key',
  'registry_versions.version',
  'registry_versions.digest',
  'registry_versions.runtime',
  'registry_versions.signature',
  'registry_versions.predicts',
  'registry_versions.train_ref',
  'registry_versions.test_ref',
  'registry_versions.run_ref',
  'registry_versions.tracking_run_id',
  'registry_versions.logged_model_id',
  'registry_versions.source',
  'registry_versions.storage_location',
  'registry_versions.run_link',
  'registry_versions.description',
  'registry_versions.stage',
  'registry_versions.created_by',
  'registry_versions.created_ms',
  'registry_versions.updated_ms',
  'registry_versions.deleted_ms',
] as const;

export interface VersionParts {
  readonly files: readonly VersionFile[];
  readonly aliases: readonly string[];
  readonly tags: readonly Tag[];
}

const parseJson = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as Json));

export function rowToVersion(row: VersionRow, project: string, model: string, parts: VersionParts): ModelVersion {
  return {
    project,
    model,
    version: row.version,
    digest: row.digest ?? undefined,
    files: parts.files,
    runtime: row.runtime ?? findRunnable(parts.files)?.runtime,
    signature: parseJson(row.signature),
    predicts: parseJson(row.predicts),
    trainRef: row.train_ref ?? undefined,
    testRef: row.test_ref ?? undefined,
    runRef: row.run_ref ?? undefined,
    trackingRunId: row.tracking_run_id ?? undefined,
    loggedModelId: row.logged_model_id ?? undefined,
    source: row.source,
    storageLocation: row.storage_location,
    runLink: row.run_link,
    description: row.description,
    stage: row.stage,
    createdBy: row.created_by,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    aliases: parts.aliases,
    tags: parts.tags,
  };
}

export function findVersionRow(reader: Reader, modelKey: string, version: number): Promise<VersionRow | undefined> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select(versionColumns)
    .where('registry_versions.model_key', '=', modelKey)
    .where('registry_versions.version', '=', version)
    .where('registry_versions.deleted_ms', 'is', null)
    .executeTakeFirst();
}

/** Numbers that are taken, also by versions that were deleted. */
export async function listTakenVersions(
  reader: Reader,
  modelKey: string,
  versions: readonly number[],
): Promise<ReadonlyMap<number, Pick<VersionRow, 'created_ms' | 'source' | 'deleted_ms'>>> {
  const rows = await reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select([
      'registry_versions.version',
      'registry_versions.created_ms',
      'registry_versions.source',
      'registry_versions.deleted_ms',
    ])
    .where('registry_versions.model_key', '=', modelKey)
    .where(inList(reader, 'registry_versions.version', versions))
    .execute();
  return new Map(rows.map(({ version, ...row }) => [version, row]));
}

export function findLatestVersionRow(reader: Reader, modelKey: string): Promise<VersionRow | undefined> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select(versionColumns)
    .where('registry_versions.model_key', '=', modelKey)
    .where('registry_versions.deleted_ms', 'is', null)
    .orderBy('registry_versions.version', 'desc')
    .limit(1)
    .executeTakeFirst();
}

export function findVersionRowByDigest(
  reader: Reader,
  modelKey: string,
  digest: string,
): Promise<VersionRow | undefined> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select(versionColumns)
    .where('registry_versions.model_key', '=', modelKey)
    .where('registry_versions.digest', '=', digest)
    .where('registry_versions.deleted_ms', 'is', null)
    .executeTakeFirst();
}

export function listVersionRows(reader: Reader, modelKey: string): Promise<VersionRow[]> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select(versionColumns)
    .where('registry_versions.model_key', '=', modelKey)
    .where('registry_versions.deleted_ms', 'is', null)
    .orderBy('registry_versions.version', 'desc')
    .execute();
}

export async function insertVersion(unit: Unit, row: VersionRow, files: readonly VersionFile[]): Promise<void> {
  await unit.query<RegistryTables>().insertInto('registry_versions').values(row).execute();
  if (files.length === 0) return;
  await unit
    .query<RegistryTables>()
    .insertInto('registry_version_files')
    .values(
      files.map((file) => ({
        model_key: row.model_key,
        version: row.version,
        path: file.path,
        sha256: file.sha256,
        size_bytes: file.sizeBytes,
      })),
    )
    .execute();
}

export async function updateVersion(
  unit: Unit,
  modelKey: string,
  version: number,
  change: Partial<Omit<VersionRow, 'model_key' | 'version'>>,
): Promise<void> {
  await unit
    .query<RegistryTables>()
    .updateTable('registry_versions')
    .set(change)
    .where('registry_versions.model_key', '=', modelKey)
    .where('registry_versions.version', '=', version)
    .execute();
}

/** The versions of a model that are in one stage, apart from `except`. */
export async function archiveStage(
  unit: Unit,
  modelKey: string,
  stage: VersionRow['stage'],
  except: number,
): Promise<void> {
  await unit
    .query<RegistryTables>()
    .updateTable('registry_versions')
    .set({ stage: 'Archived', updated_ms: unit.nowMs })
    .where('registry_versions.model_key', '=', modelKey)
    .where('registry_versions.stage', '=', stage)
    .where('registry_versions.version', '!=', except)
    .where('registry_versions.deleted_ms', 'is', null)
    .execute();
}

export async function setVersionTag(unit: Unit, modelKey: string, version: number, tag: Tag): Promise<void> {
  await unit
    .query<RegistryTables>()
    .insertInto('registry_version_tags')
    .values({ model_key: modelKey, version, tag_key: tag.key, tag_value: tag.value })
    .onConflict((conflict) =>
      conflict.columns(['model_key', 'version', 'tag_key']).doUpdateSet({ tag_value: tag.value }),
    )
    .execute();
}

/** False when there was no such tag. */
export async function deleteVersionTag(unit: Unit, modelKey: string, version: number, key: string): Promise<boolean> {
  const { numDeletedRows } = await unit
    .query<RegistryTables>()
    .deleteFrom('registry_version_tags')
    .where('registry_version_tags.model_key', '=', modelKey)
    .where('registry_version_tags.version', '=', version)
    .where('registry_version_tags.tag_key', '=', key)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** What a map of parts is keyed by. */
export const versionKey = (modelKey: string, version: number) => `${modelKey}@${version}`;

/** Files, aliases and tags of the versions of these models (or of one number), in three queries however many there are. */
export async function listVersionParts(
  reader: Reader,
  modelKeys: readonly string[],
  onlyVersion?: number,
): Promise<(modelKey: string, version: number) => VersionParts> {
  const query = reader.query<RegistryTables>();
  const files = await query
    .selectFrom('registry_version_files')
    .select([
      'registry_version_files.model_key',
      'registry_version_files.version',
      'registry_version_files.path',
      'registry_version_files.sha256',
      'registry_version_files.size_bytes',
    ])
    .where(inList(reader, 'registry_version_files.model_key', modelKeys))
    .$if(onlyVersion !== undefined, (select) => select.where('registry_version_files.version', '=', onlyVersion ?? 0))
    .orderBy('registry_version_files.path')
    .execute();
  const aliases = await query
    .selectFrom('registry_aliases')
    .select(['registry_aliases.model_key', 'registry_aliases.version', 'registry_aliases.alias'])
    .where(inList(reader, 'registry_aliases.model_key', modelKeys))
    .$if(onlyVersion !== undefined, (select) => select.where('registry_aliases.version', '=', onlyVersion ?? 0))
    .orderBy('registry_aliases.alias')
    .execute();
  const tags = await query
    .selectFrom('registry_version_tags')
    .select([
      'registry_version_tags.model_key',
      'registry_version_tags.version',
      'registry_version_tags.tag_key',
      'registry_version_tags.tag_value',
    ])
    .where(inList(reader, 'registry_version_tags.model_key', modelKeys))
    .$if(onlyVersion !== undefined, (select) => select.where('registry_version_tags.version', '=', onlyVersion ?? 0))
    .orderBy('registry_version_tags.tag_key')
    .execute();

  const parts = new Map<string, { files: VersionFile[]; aliases: string[]; tags: Tag[] }>();
  const of = (modelKey: string, version: number) => {
    const key = versionKey(modelKey, version);
    const found = parts.get(key) ?? { files: [], aliases: [], tags: [] };
    parts.set(key, found);
    return found;
  };
  for (const row of files)
    of(row.model_key, row.version).files.push({ path: row.path, sha256: row.sha256, sizeBytes: row.size_bytes });
  for (const row of aliases) of(row.model_key, row.version).aliases.push(row.alias);
  for (const row of tags) of(row.model_key, row.version).tags.push({ key: row.tag_key, value: row.tag_value });
  return of;
}
