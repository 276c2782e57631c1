import type { Piece } from '#platform/blobs';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { ArtifactsTables } from './artifacts-tables.ts';

export interface Upload {
  readonly id: string;
  readonly project: string;
  readonly path: string;
  /** How many parts were announced. */
  readonly partCount: number;
  readonly state: 'open' | 'completed';
}

export async function insertUpload(unit: Unit, upload: Upload): Promise<void> {
  await unit
    .query<ArtifactsTables>()
    .insertInto('artifact_uploads')
    .values({
      upload_id: upload.id,
      project: upload.project,
      path: upload.path,
      part_count: upload.partCount,
      state: upload.state,
      active_ms: unit.nowMs,
    })
    .execute();
}

export async function findUpload(reader: Reader, project: string, uploadId: string): Promise<Upload | undefined> {
  const row = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_uploads')
    .select([
      'artifact_uploads.upload_id',
      'artifact_uploads.project',
      'artifact_uploads.path',
      'artifact_uploads.part_count',
      'artifact_uploads.state',
    ])
    .where('artifact_uploads.upload_id', '=', uploadId)
    .where('artifact_uploads.project', '=', project)
    .executeTakeFirst();
  return (
    row && { id: row.upload_id, project: row.project, path: row.path, partCount: row.part_count, state: row.state }
  );
}

const partsOf = (reader: Reader, uploadId: string) =>
  reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_upload_parts')
    .select([
      'artifact_upload_parts.part as number',
      'artifact_upload_parts.etag',
      'artifact_upload_parts.size_bytes as sizeBytes',
    ])
    .where('artifact_upload_parts.upload_id', '=', uploadId);

/** In the order of their numbers. */
export async function listParts(reader: Reader, uploadId: string): Promise<readonly Piece[]> {
  return await partsOf(reader, uploadId).orderBy('artifact_upload_parts.part').execute();
}

/** What has arrived of an upload, in bytes. */
export async function sizeOfParts(reader: Reader, uploadId: string): Promise<number> {
  const row = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_upload_parts')
    .select((of) => of.fn.sum<number | null>('artifact_upload_parts.size_bytes').as('bytes'))
    .where('artifact_upload_parts.upload_id', '=', uploadId)
    .executeTakeFirst();
  return row?.bytes ?? 0;
}

export async function findPart(reader: Reader, uploadId: string, number: number): Promise<Piece | undefined> {
  return await partsOf(reader, uploadId).where('artifact_upload_parts.part', '=', number).executeTakeFirst();
}

/** Marks an open upload as in use now; false when it is not open. */
export async function touchUpload(unit: Unit, uploadId: string): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<ArtifactsTables>()
    .updateTable('artifact_uploads')
    .set({ active_ms: unit.nowMs })
    .where('artifact_uploads.upload_id', '=', uploadId)
    .where('artifact_uploads.state', '=', 'open')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** What came last under a number counts; answers what counted before. */
export async function putPart(unit: Unit, uploadId: string, part: Piece): Promise<Piece | undefined> {
  const before = await findPart(unit, uploadId, part.number);
  const brought = { etag: part.etag, size_bytes: part.sizeBytes };
  await unit
    .query<ArtifactsTables>()
    .insertInto('artifact_upload_parts')
    .values({ upload_id: uploadId, part: part.number, ...brought })
    .onConflict((conflict) => conflict.columns(['upload_id', 'part']).doUpdateSet(brought))
    .execute();
  return before;
}

/** Open → completed; false when it was not open. */
export async function markCompleted(unit: Unit, uploadId: string): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<ArtifactsTables>()
    .updateTable('artifact_uploads')
    .set({ state: 'completed', active_ms: unit.nowMs })
    .where('artifact_uploads.upload_id', '=', uploadId)
    .where('artifact_uploads.state', '=', 'open')
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await unit
    .query<ArtifactsTables>()
    .deleteFrom('artifact_upload_parts')
    .where('artifact_upload_parts.upload_id', '=', uploadId)
    .execute();
  return true;
}

export async function deleteOpenUpload(unit: Unit, uploadId: string): Promise<void> {
  await unit
    .query<ArtifactsTables>()
    .deleteFrom('artifact_uploads')
    .where('artifact_uploads.upload_id', '=', uploadId)
    .where('artifact_uploads.state', '=', 'open')
    .execute();
}

/** Forgets what has brought nothing since, whatever became of it. */
export async function deleteIdleUploads(unit: Unit, beforeMs: number): Promise<number> {
  const { numDeletedRows } = await unit
    .query<ArtifactsTables>()
    .deleteFrom('artifact_uploads')
    .where('artifact_uploads.active_ms', '<=', beforeMs)
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** Of these, those that still take parts. */
export async function listOpen(reader: Reader, uploadIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_uploads')
    .select('artifact_uploads.upload_id')
    .where(inList(reader, 'artifact_uploads.upload_id', uploadIds))
    .where('artifact_uploads.state', '=', 'open')
    .execute();
  return new Set(rows.map((row) => row.upload_id));
}

export async function findUrlKey(reader: Reader, name: string): Promise<string | undefined> {
  const row = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_url_keys')
    .select('artifact_url_keys.secret')
    .where('artifact_url_keys.name', '=', name)
    .executeTakeFirst();
  return row?.secret;
}

/** Keeps the key that is there; answers the one that counts. */
export async function insertUrlKey(unit: Unit, name: string, secret: string): Promise<string> {
  await unit
    .query<ArtifactsTables>()
    .insertInto('artifact_url_keys')
    .values({ name, secret })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return (await findUrlKey(unit, name)) ?? secret;
}
