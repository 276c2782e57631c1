import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { AliasRow, RegistryTables } from './registry-tables.ts';

const aliasColumns = [
  'registry_aliases.model_key',
  'registry_aliases.alias',
  'registry_aliases.version',
  'registry_aliases.promotion_id',
  'registry_aliases.moved_by',
  'registry_aliases.moved_ms',
] as const;

export function findAliasRow(reader: Reader, modelKey: string, alias: string): Promise<AliasRow | undefined> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_aliases')
    .select(aliasColumns)
    .where('registry_aliases.model_key', '=', modelKey)
    .where('registry_aliases.alias', '=', alias)
    .executeTakeFirst();
}

export function listAliasRows(reader: Reader, modelKeys: readonly string[]): Promise<AliasRow[]> {
  return reader
    .query<RegistryTables>()
    .selectFrom('registry_aliases')
    .select(aliasColumns)
    .where(inList(reader, 'registry_aliases.model_key', modelKeys))
    .orderBy('registry_aliases.model_key')
    .orderBy('registry_aliases.alias')
    .execute();
}

export async function putAlias(unit: Unit, row: AliasRow): Promise<void> {
  await unit
    .query<RegistryTables>()
    .insertInto('registry_aliases')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['model_key', 'alias']).doUpdateSet({
        version: row.version,
        promotion_id: row.promotion_id,
        moved_by: row.moved_by,
        moved_ms: row.moved_ms,
      }),
    )
    .execute();
}

export async function deleteAlias(unit: Unit, modelKey: string, alias: string): Promise<void> {
  await unit
    .query<RegistryTables>()
    .deleteFrom('registry_aliases')
    .where('registry_aliases.model_key', '=', modelKey)
    .where('registry_aliases.alias', '=', alias)
    .execute();
}
