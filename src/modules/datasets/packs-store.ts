import type { Reader, Unit } from '#platform/database';
import type { DatasetsTables } from './datasets-tables.ts';

/** The parts from one position up to (not with) another, once more in one file. */
export interface Pack {
  readonly from: number;
  readonly to: number;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** In order of position. */
export async function listPacks(reader: Reader, project: string, name: string): Promise<readonly Pack[]> {
  const rows = await reader
    .query<DatasetsTables>()
    .selectFrom('dataset_packs')
    .select([
      'dataset_packs.from_position',
      'dataset_packs.to_position',
      'dataset_packs.sha256',
      'dataset_packs.size_bytes',
    ])
    .where('dataset_packs.project', '=', project)
    .where('dataset_packs.name', '=', name)
    .orderBy('dataset_packs.from_position')
    .execute();
  return rows.map((row) => ({
    from: row.from_position,
    to: row.to_position,
    sha256: row.sha256,
    sizeBytes: row.size_bytes,
  }));
}

/** The same stretch packed twice is packed once. */
export async function insertPack(unit: Unit, project: string, name: string, pack: Pack): Promise<void> {
  await unit
    .query<DatasetsTables>()
    .insertInto('dataset_packs')
    .values({
      project,
      name,
      from_position: pack.from,
      to_position: pack.to,
      sha256: pack.sha256,
      size_bytes: pack.sizeBytes,
    })
    .onConflict((conflict) => conflict.columns(['project', 'name', 'from_position']).doNothing())
    .execute();
}
