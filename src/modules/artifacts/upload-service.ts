import { type BlobInfo, type BlobStore, blobErrors, type Piece } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Reader, Unit, WriteContext } from '#platform/database';
import { artifactErrors } from './artifacts-errors.ts';
import { createUploadRooms, type PartRoom } from './upload-room.ts';
import {
  deleteIdleUploads,
  deleteOpenUpload,
  findPart,
  findUpload,
  insertUpload,
  listOpen,
  listParts,
  markCompleted,
  putPart,
  sizeOfParts,
  touchUpload,
  type Upload,
} from './upload-store.ts';

const mostParts = 10_000;
const idleMs = 24 * 3_600_000;
const groupsAtOnce = 500;

/** A part as whoever completes an upload names it. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string | undefined;
}

/**
 * Files that arrive in parts, each part on its own and in any order:
 *
 *   (begin) --> open --a part: bytes first, then its row--> open --join, then complete--> completed --a day--> (no row)
 *                 |----abort, or a day without a part--> (no row)
 *
 * Parts are pieces of the blob store, in the group of the upload's id. A group whose upload is not open goes at once or
 * with the next collection: dying anywhere leaves either an upload that can go on, or pieces that nobody knows.
 */
export interface UploadsApi {
  begin(
    unit: Unit,
    upload: { readonly project: string; readonly path: string; readonly partCount: number },
  ): Promise<Upload>;
  /** UPLOAD_NOT_FOUND unless it is this project's. */
  get(reader: Reader, project: string, uploadId: string): Promise<Upload>;
  /** What has arrived, by number. */
  parts(reader: Reader, uploadId: string): Promise<readonly Piece[]>;
  /** Takes the bytes of one part, in the place of those that came under its number before. */
  putPart(
    context: WriteContext,
    part: {
      readonly project: string;
      readonly uploadId: string;
      readonly number: number;
      /** As announced. */
      readonly sizeBytes: number | undefined;
    },
    source: AsyncIterable<Uint8Array>,
  ): Promise<Piece>;
  /** The whole as a blob, which nothing holds yet; those that ask at once wait for one. UPLOAD_PARTS_WRONG. */
  join(upload: Upload, named: readonly NamedPart[]): Promise<BlobInfo>;
  /** Once the blob is held. UPLOAD_NOT_FOUND when it was ended meanwhile. */
  complete(unit: Unit, uploadId: string): Promise<void>;
  /** Forgets an upload that is open; another is left alone. */
  abort(context: WriteContext, uploadId: string): Promise<void>;
  /** Removes the bytes of parts that are not needed any more; what fails is left to the collection. */
  dropParts(uploadId: string): Promise<void>;
}

export function createUploadService(deps: {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly uploadLimitBytes?: number;
}): UploadsApi {
  const { database, blobs, uploadLimitBytes = Number.POSITIVE_INFINITY } = deps;
  const joining = new Map<string, Promise<BlobInfo>>();
  const rooms = createUploadRooms(uploadLimitBytes);

  /** The bytes first, then the row; what counted before goes, and so do bytes whose row was refused. */
  async function receivePart(
    context: WriteContext,
    { id: uploadId, partCount }: Upload,
    { number, sizeBytes }: { readonly number: number; readonly sizeBytes: number | undefined },
    room: PartRoom,
    source: AsyncIterable<Uint8Array>,
  ): Promise<Piece> {
    if (sizeBytes !== undefined) room.take(sizeBytes);
    const counted = sizeBytes === undefined ? counting(source, room) : source;
    const piece = await blobs.pieces.put(uploadId, number, counted, { sizeBytes, pieceCount: partCount });
    let before: Piece | undefined;
    try {
      before = await database.write(context, async (unit) => {
        if (!(await touchUpload(unit, uploadId))) throw artifactErrors.UPLOAD_NOT_FOUND(uploadId);
        return await putPart(unit, uploadId, piece);
      });
    } catch (error) {
      await blobs.pieces.drop(uploadId, piece).catch(() => undefined);
      throw error;
    }
    room.keep(before?.sizeBytes ?? 0);
    if (before !== undefined) await blobs.pieces.drop(uploadId, before).catch(() => undefined); // it goes with its group
    return piece;
  }

  return {
    async begin(unit, wanted) {
      const { partCount } = wanted;
      if (!Number.isInteger(partCount) || partCount < 1 || partCount > mostParts)
        throw artifactErrors.UPLOAD_PARTS_WRONG(`it has 1 to ${mostParts} parts, not ${partCount}`);
      const upload: Upload = { ...wanted, id: unit.newId(), state: 'open' };
      await insertUpload(unit, upload);
      return upload;
    },

    get: getUpload,
    parts: listParts,

    async putPart(context, part, source) {
      const { project, uploadId, number } = part;
      const upload = await getUpload(database.read, project, uploadId);
      if (upload.state !== 'open') throw artifactErrors.UPLOAD_NOT_FOUND(uploadId);
      if (number < 1 || number > upload.partCount)
        throw artifactErrors.UPLOAD_PARTS_WRONG(`it was announced with ${upload.partCount} parts`);
      const own = await findPart(database.read, uploadId, number);
      const room = await rooms.enter(uploadId, own?.sizeBytes ?? 0, () => sizeOfParts(database.read, uploadId));
      try {
        return await receivePart(context, upload, part, room, source);
      } finally {
        room.leave();
      }
    },

    async join(upload, named) {
      const parts = await listParts(database.read, upload.id);
      requireAll(upload, parts, named);
      if (sizeOf(parts) > uploadLimitBytes) throw blobErrors.BLOB_TOO_LARGE(uploadLimitBytes);
      // a client that did not wait for the answer asks again while the first is under way
      const key = `${upload.id} ${parts.map((part) => part.etag).join(' ')}`;
      let result = joining.get(key);
      if (result === undefined) {
        result = blobs.pieces.join(upload.id, parts).finally(() => joining.delete(key));
        joining.set(key, result);
      }
      return await result;
    },

    async complete(unit, uploadId) {
      if (!(await markCompleted(unit, uploadId))) throw artifactErrors.UPLOAD_NOT_FOUND(uploadId);
    },

    async abort(context, uploadId) {
      await database.write(context, (unit) => deleteOpenUpload(unit, uploadId));
    },

    async dropParts(uploadId) {
      await blobs.pieces.remove(uploadId).catch(() => undefined);
    },
  };
}

async function getUpload(reader: Reader, project: string, uploadId: string): Promise<Upload> {
  const found = await findUpload(reader, project, uploadId);
  if (found === undefined) throw artifactErrors.UPLOAD_NOT_FOUND(uploadId);
  return found;
}

/** Of a part whose size was not announced. */
async function* counting(source: AsyncIterable<Uint8Array>, room: PartRoom): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    room.take(chunk.byteLength);
    yield chunk;
  }
}

const sizeOf = (parts: readonly Piece[]): number => parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Every announced part is there, and is the one that the client means. */
function requireAll(upload: Upload, parts: readonly Piece[], named: readonly NamedPart[]): void {
  const wrong = artifactErrors.UPLOAD_PARTS_WRONG;
  const arrived = new Map(parts.map((part) => [part.number, part]));
  if (named.length !== upload.partCount)
    throw wrong(`it was announced with ${upload.partCount} parts, and ${named.length} are named`);
  for (const [index, { number, etag }] of named.entries()) {
    if (number !== index + 1) throw wrong(`parts are named in order, and part ${number} stands at place ${index + 1}`);
    const part = arrived.get(number);
    if (part === undefined) throw wrong(`part ${number} has not arrived`);
    if (etag?.replace(/^"(.*)"$/, '$1') !== part.etag) throw wrong(`part ${number} has another ETag than is named`);
  }
}

/** Forgets uploads that nobody goes on with, and removes pieces of no upload. Answers how many were forgotten. */
export async function collectUploads(deps: {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): Promise<number> {
  const { database, blobs, clock } = deps;
  const forgotten = await database.write({ actor: 'system:artifacts' }, (unit) =>
    deleteIdleUploads(unit, clock.nowMs() - idleMs),
  );
  let batch: string[] = [];
  const sweep = async (): Promise<void> => {
    const open = await listOpen(database.read, batch);
    for (const group of batch) if (!open.has(group)) await blobs.pieces.remove(group);
    batch = [];
  };
  for await (const group of blobs.pieces.groups()) {
    batch.push(group);
    if (batch.length === groupsAtOnce) await sweep();
  }
  if (batch.length > 0) await sweep();
  return forgotten;
}
