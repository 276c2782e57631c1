import type { Reader } from '#platform/database';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { findAliasRow, listAliasRows } from './alias-store.ts';
import { findModelRow, hasModelTag, listModelTags, modelColumns } from './model-store.ts';
import { isPromptTag } from './prompt-rule.ts';
import type { ModelRow, RegistryTables, VersionRow } from './registry-tables.ts';
import type { ModelVersion, RegisteredModel } from './registry-types.ts';
import {
  findLatestVersionRow,
  findVersionRow,
  listVersionParts,
  rowToVersion,
  versionColumns,
} from './version-store.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

/** Puts tags and aliases to models, in two queries however many there are. */
export async function toModels(reader: Reader, rows: readonly ModelRow[]): Promise<RegisteredModel[]> {
  if (rows.length === 0) return [];
  const keys = rows.map((row) => row.model_key);
  const tags = await listModelTags(reader, keys);
  const aliases = await listAliasRows(reader, keys);
  return rows.map((row) => ({
    key: row.model_key,
    project: row.project,
    name: row.name,
    description: row.description,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    tags: tags.get(row.model_key) ?? [],
    aliases: aliases
      .filter((alias) => alias.model_key === row.model_key)
      .map(({ alias, version }) => ({ alias, version })),
  }));
}

/** Puts files, aliases and tags to versions of one or several models. */
export async function toVersions(
  reader: Reader,
  rows: readonly VersionRow[],
  models: ReadonlyMap<string, { readonly project: string; readonly name: string }>,
): Promise<ModelVersion[]> {
  if (rows.length === 0) return [];
  const [only] = rows;
  const keys = [...new Set(rows.map((row) => row.model_key))];
  const parts = await listVersionParts(reader, keys, rows.length === 1 ? only?.version : undefined);
  return rows.flatMap((row) => {
    const model = models.get(row.model_key);
    return model === undefined ? [] : [rowToVersion(row, model.project, model.name, parts(row.model_key, row.version))];
  });
}

async function findLiveModel(reader: Reader, project: string, name: string): Promise<ModelRow | undefined> {
  const row = await findModelRow(reader, project, name);
  return row?.deleted_ms === null ? row : undefined;
}

export async function findModel(reader: Reader, project: string, name: string): Promise<RegisteredModel | undefined> {
  const row = await findLiveModel(reader, project, name);
  return row && (await toModels(reader, [row]))[0];
}

/** `at` is a number, a number as text, `latest`, or an alias. */
export async function findVersion(
  reader: Reader,
  project: string,
  name: string,
  at: number | string,
): Promise<ModelVersion | undefined> {
  const model = await findLiveModel(reader, project, name);
  if (model === undefined) return undefined;
  const row = await findVersionRowAt(reader, model.model_key, at);
  return row && (await toVersions(reader, [row], new Map([[model.model_key, model]])))[0];
}

async function findVersionRowAt(
  reader: Reader,
  modelKey: string,
  at: number | string,
): Promise<VersionRow | undefined> {
  if (at === 'latest') return findLatestVersionRow(reader, modelKey);
  const number = typeof at === 'number' ? at : /^\d{1,15}$/.test(at) ? Number(at) : undefined;
  if (number !== undefined) return findVersionRow(reader, modelKey, number);
  const alias = await findAliasRow(reader, modelKey, String(at));
  return alias && findVersionRow(reader, modelKey, alias.version);
}

export async function findAlias(
  reader: Reader,
  project: string,
  name: string,
  alias: string,
): Promise<
  { readonly version: number; readonly movedMs: number; readonly promotionId: string | undefined } | undefined
> {
  const model = await findLiveModel(reader, project, name);
  const row = model && (await findAliasRow(reader, model.model_key, alias));
  return row && { version: row.version, movedMs: row.moved_ms, promotionId: row.promotion_id ?? undefined };
}

/** Models of a project by name, prompts among them unless one kind is asked for. */
export async function listModels(
  reader: Reader,
  project: string,
  {
    limit,
    cursor,
    kind,
  }: { readonly limit: number; readonly cursor?: string | undefined; readonly kind?: 'model' | 'prompt' | undefined },
): Promise<Page<RegisteredModel>> {
  const rows = await reader
    .query<RegistryTables>()
    .selectFrom('registry_models')
    .select(modelColumns)
    .where('registry_models.project', '=', project)
    .where('registry_models.deleted_ms', 'is', null)
    .$if(cursor !== undefined, (select) =>
      select.where('registry_models.name', '>', String(decodeCursor(cursor ?? '')[0])),
    )
    .$if(kind !== undefined, (select) => select.where(hasModelTag(isPromptTag, kind === 'prompt')))
    .orderBy('registry_models.name')
    .limit(limit + 1)
    .execute();
  const items = await toModels(reader, rows.slice(0, limit));
  const last = items.at(-1);
  return { items, ...(rows.length > limit && last && { next: encodeCursor([last.name]) }) };
}

/** Versions of a model, newest first; undefined when there is no such model. */
export async function listVersions(
  reader: Reader,
  project: string,
  name: string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<Page<ModelVersion> | undefined> {
  const model = await findLiveModel(reader, project, name);
  if (model === undefined) return undefined;
  const rows = await reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select(versionColumns)
    .where('registry_versions.model_key', '=', model.model_key)
    .where('registry_versions.deleted_ms', 'is', null)
    .$if(cursor !== undefined, (select) =>
      select.where('registry_versions.version', '<', Number(decodeCursor(cursor ?? '')[0])),
    )
    .orderBy('registry_versions.version', 'desc')
    .limit(limit + 1)
    .execute();
  const items = await toVersions(reader, rows.slice(0, limit), new Map([[model.model_key, model]]));
  const last = items.at(-1);
  return { items, ...(rows.length > limit && last && { next: encodeCursor([last.version]) }) };
}
