import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { ModelRow, RegistryTables } from './registry-tables.ts';
import type { Tag } from './registry-types.ts';

export const modelColumns = [
  'registry_models.model_key',
  'registry_models.project',
  'registry_models.name',
  'registry_models.description',
  'registry_models.last_version',
  'registry_models.created_ms',
  'registry_models.updated_ms',
  'registry_models.deleted_ms',
] as const;

/** The row of a name, deleted or not: a deleted model keeps its name's version counter. */
export function findModelRow(reader: Reader, project: string, name: string): Promise<ModelRow | undefined> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_models')
    .select(modelColumns)
    .where('registry_models.project', '=', project)
    .where('registry_models.name', '=', name)
    .executeTakeFirst();
}

/** Whether a row of `registry_models` bears a tag; its value is compared without regard to case, as MLflow does of its own. */
export function hasModelTag({ key, value }: Tag, wanted: boolean) {
  const bearers = sql`select registry_model_tags.model_key from registry_model_tags
    where registry_model_tags.tag_key = ${key} and lower(registry_model_tags.tag_value) = ${value}`;
  return wanted
    ? sql<boolean>`registry_models.model_key in (${bearers})`
    : sql<boolean>`registry_models.model_key not in (${bearers})`;
}

export async function insertModel(unit: Unit, row: ModelRow): Promise<void> {
  await unit.query<RegistryTables>().insertInto('registry_models').values(row).execute();
}

export async function updateModel(
  unit: Unit,
  modelKey: string,
  change: Partial<Omit<ModelRow, 'model_key' | 'project'>>,
): Promise<void> {
  await unit
    .query<RegistryTables>()
    .updateTable('registry_models')
    .set(change)
    .where('registry_models.model_key', '=', modelKey)
    .execute();
}

export async function setModelTag(unit: Unit, modelKey: string, tag: Tag): Promise<void> {
  await unit
    .query<RegistryTables>()
    .insertInto('registry_model_tags')
    .values({ model_key: modelKey, tag_key: tag.key, tag_value: tag.value })
    .onConflict((conflict) => conflict.columns(['model_key', 'tag_key']).doUpdateSet({ tag_value: tag.value }))
    .execute();
}

/** Removes one tag, or all of them; false when there was none. */
export async function deleteModelTags(unit: Unit, modelKey: string, key?: string): Promise<boolean> {
  let deletion = unit
    .query<RegistryTables>()
    .deleteFrom('registry_model_tags')
    .where('registry_model_tags.model_key', '=', modelKey);
  if (key !== undefined) deletion = deletion.where('registry_model_tags.tag_key', '=', key);
  return (await deletion.executeTakeFirst()).numDeletedRows > 0n;
}

export async function listModelTags(
  reader: Reader,
  modelKeys: readonly string[],
): Promise<ReadonlyMap<string, readonly Tag[]>> {
  const rows = await reader
    .query<RegistryTables>()
    .selectFrom('registry_model_tags')
    .select(['registry_model_tags.model_key', 'registry_model_tags.tag_key', 'registry_model_tags.tag_value'])
    .where(inList(reader, 'registry_model_tags.model_key', modelKeys))
    .orderBy('registry_model_tags.model_key')
    .orderBy('registry_model_tags.tag_key')
    .execute();
  const tags = new Map<string, Tag[]>();
  for (const row of rows) {
    const list = tags.get(row.model_key) ?? [];
    list.push({ key: row.tag_key, value: row.tag_value });
    tags.set(row.model_key, list);
  }
  return tags;
}
