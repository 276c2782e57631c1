import { sql } from 'kysely';
import {
  byBytes,
  compileFilter,
  compileOrdering,
  parseFilter,
  parseOrdering,
  type SearchSchema,
} from '#modules/tracking';
import type { Reader } from '#platform/database';
import { inList } from '#platform/sql';
import { hasModelTag, modelColumns } from './model-store.ts';
import { toModels, toVersions } from './registry-read-model.ts';
import type { RegistryTables } from './registry-tables.ts';
import type { ModelVersion, RegisteredModel, Tag } from './registry-types.ts';
import { versionColumns, versionKey } from './version-store.ts';

/** A search by MLflow's grammar (the tracking module reads it). */
export interface RegistrySearch {
  readonly project: string;
  readonly filter?: string | undefined;
  readonly orderBy?: readonly string[];
  readonly limit: number;
  readonly offset?: number | undefined;
  /** Models with this tag are left out. */
  readonly exceptTag?: Tag | undefined;
}

export interface FoundInRegistry<Item> {
  readonly items: readonly Item[];
  readonly more: boolean;
}

const modelSchema: SearchSchema = {
  key: 'registry_models.model_key',
  attributes: {
    name: { column: 'registry_models.name', type: 'text', lists: true },
    creation_timestamp: { column: 'registry_models.created_ms', type: 'number' },
    last_updated_timestamp: { column: 'registry_models.updated_ms', type: 'number' },
    timestamp: { column: 'registry_models.updated_ms', type: 'number' },
  },
  tags: { table: 'registry_model_tags', owner: 'model_key', key: 'tag_key', value: 'tag_value' },
};

const versionSchema: SearchSchema = {
  key: 'registry_versions.model_key registry_versions.version',
  attributes: {
    name: { column: 'registry_models.name', type: 'text', lists: true },
    run_id: { column: 'registry_versions.tracking_run_id', type: 'text', lists: true, absentIsEmpty: true },
    source_path: { column: 'registry_versions.source', type: 'text' },
    version_number: { column: 'registry_versions.version', type: 'number', quoted: true },
    creation_timestamp: { column: 'registry_versions.created_ms', type: 'number' },
    last_updated_timestamp: { column: 'registry_versions.updated_ms', type: 'number' },
  },
  tags: {
    table: 'registry_version_tags',
    owner: ['model_key', 'version'],
    key: 'tag_key',
    value: 'tag_value',
  },
};

/** Models by name unless ordered otherwise. */
export async function searchModels(reader: Reader, query: RegistrySearch): Promise<FoundInRegistry<RegisteredModel>> {
  let select = reader
    .query<RegistryTables>()
    .selectFrom('registry_models')
    .select(modelColumns)
    .where('registry_models.project', '=', query.project)
    .where('registry_models.deleted_ms', 'is', null)
    .where(compileFilter(reader, modelSchema, parseFilter(query.filter ?? '')));
  if (query.exceptTag !== undefined) select = select.where(hasModelTag(query.exceptTag, false));
  for (const term of compileOrdering(reader, modelSchema, (query.orderBy ?? []).map(parseOrdering)))
    select = select.orderBy(term as never);
  const rows = await select
    .orderBy(byBytes(reader, 'registry_models.name') as never)
    .limit(query.limit + 1)
    .offset(query.offset ?? 0)
    .execute();
  return { items: await toModels(reader, rows.slice(0, query.limit)), more: rows.length > query.limit };
}

/** Versions of all models, the last changed first unless ordered otherwise. */
export async function searchVersions(reader: Reader, query: RegistrySearch): Promise<FoundInRegistry<ModelVersion>> {
  let select = reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .innerJoin('registry_models', 'registry_models.model_key', 'registry_versions.model_key')
    .select([...versionColumns, 'registry_models.name', 'registry_models.project'])
    .where('registry_models.project', '=', query.project)
    .where('registry_models.deleted_ms', 'is', null)
    .where('registry_versions.deleted_ms', 'is', null)
    .where(compileFilter(reader, versionSchema, parseFilter(query.filter ?? '')));
  if (query.exceptTag !== undefined) select = select.where(hasModelTag(query.exceptTag, false));
  for (const term of compileOrdering(reader, versionSchema, (query.orderBy ?? []).map(parseOrdering)))
    select = select.orderBy(term as never);
  const rows = await select
    .orderBy('registry_versions.updated_ms', 'desc')
    .orderBy(byBytes(reader, 'registry_models.name') as never)
    .orderBy('registry_versions.version', 'desc')
    .limit(query.limit + 1)
    .offset(query.offset ?? 0)
    .execute();
  const page = rows.slice(0, query.limit);
  const models = new Map(page.map((row) => [row.model_key, { name: row.name, project: row.project }]));
  return { items: await toVersions(reader, page, models), more: rows.length > query.limit };
}

/** The highest version of each stage, by model key. */
export async function latestVersions(
  reader: Reader,
  models: readonly RegisteredModel[],
): Promise<ReadonlyMap<string, readonly ModelVersion[]>> {
  const keys = models.map((model) => model.key);
  const { rows } = await sql<{ model_key: string; version: number }>`
    select registry_versions.model_key, max(registry_versions.version) as version from registry_versions
    where ${inList(reader, 'registry_versions.model_key', keys)} and registry_versions.deleted_ms is null
    group by registry_versions.model_key, registry_versions.stage`.execute(reader.query<RegistryTables>());
  const latest = new Set(rows.map((row) => versionKey(row.model_key, row.version)));
  const candidates = await reader
    .query<RegistryTables>()
    .selectFrom('registry_versions')
    .select(versionColumns)
    .where(inList(reader, 'registry_versions.model_key', keys))
    .where(
      inList(
        reader,
        'registry_versions.version',
        rows.map((row) => row.version),
      ),
    )
    .where('registry_versions.deleted_ms', 'is', null)
    .orderBy('registry_versions.version')
    .execute();
  const wanted = candidates.filter((row) => latest.has(versionKey(row.model_key, row.version)));
  const names = new Map(models.map((model) => [model.key, model]));
  const found = new Map<string, ModelVersion[]>();
  for (const [index, version] of (await toVersions(reader, wanted, names)).entries()) {
    const key = wanted[index]?.model_key ?? '';
    found.set(key, [...(found.get(key) ?? []), version]);
  }
  return found;
}
