import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { createBackgroundSync } from './background-sync.ts';
import { blobErrors, checkPieceSize } from './blob-errors.ts';
import type { ByteSource, Piece, PieceExpectation } from './blob-store.ts';
import { writeWhole } from './file-sink.ts';
import {
  entries,
  fileOrNothing,
  hasCode,
  readFileRange,
  readThrough,
  type Writing,
  writeFrom,
  writeNewFile,
} from './local-files.ts';
import { createRunningHash, type RunningHash } from './running-hash.ts';

/** No file system of today has larger files: what would lie beyond lies apart. */
const mostWholeBytes = 2 ** 43;
/** A part is answered when no more is left to be hashed of those that lie in a row. */
const mostBehindBytes = 256 * 1024 * 1024;

const wholePattern = /^whole-(\d{1,15})$/;
const placedPattern = /^(\d{1,6})-([0-9a-f]{8}-[0-9a-f]{16})@(\d{1,15})$/;
const etagPattern = /^[0-9a-f]{8}-[0-9a-f]{16}$/;

export interface PieceGroup {
  put(number: number, source: ByteSource, expected: PieceExpectation): Promise<Piece>;
  /** The file of all these, each in its place; undefined when they do not make one: then they are read one by one. */
  gather(pieces: readonly Piece[]): Promise<string | undefined>;
  /** The disk may not have taken the file: from now on its pieces are read and written anew, each held against its sum. */
  distrust(): void;
  read(piece: Piece): AsyncIterable<Uint8Array>;
  drop(piece: Piece): Promise<void>;
  readonly hash: RunningHash;
}

/**
 * The pieces of one blob, in a folder:
 *
 *   whole-<size>             pieces of this size, each at its place, where the last and shorter one has its own too
 *   <number>-<etag>@<size>   says that this version lies there; empty
 *   <number>-<etag>          a piece apart: of another size, of an unknown one, or put again
 *   <version>.draft          one that is arriving apart
 *
 * The first piece whose size was announced, and is not the last, says what size has a place. A place is written by one
 * at a time, once: what is put again lies apart until `gather` takes it in, so that no version is ever half another.
 * One process writes a group at a time (that of the database that knows of it); a new one finds all in the folder.
 */
export async function openPieceGroup(folder: string): Promise<PieceGroup> {
  const placed = new Map<number, Piece>();
  const writing = new Set<number>();
  /** Versions whose bytes passed through this process: no power cut came in between. */
  const seen = new Set<string>();
  let pieceBytes: number | undefined;
  for (const name of await entries(folder)) {
    const [, bytes] = wholePattern.exec(name) ?? [];
    if (bytes !== undefined) pieceBytes = Number(bytes);
    const [, number, etag = '', sizeBytes] = placedPattern.exec(name) ?? [];
    if (number !== undefined)
      placed.set(Number(number), { number: Number(number), etag, sizeBytes: Number(sizeBytes) });
  }

  const wholePath = () => join(folder, `whole-${pieceBytes}`);
  const apartPath = ({ number, etag }: Piece) => join(folder, `${number}-${etag}`);
  const markerPath = (piece: Piece) => `${apartPath(piece)}@${piece.sizeBytes}`;
  const placeOf = (number: number) => (number - 1) * (pieceBytes ?? 0);
  const isPlaced = ({ number, etag }: Piece) => placed.get(number)?.etag === etag;

  const hash = createRunningHash({ next: (number) => placed.get(number), read: hear });
  const sync = createBackgroundSync(wholePath);
  let isDistrusted = false;

  /** Undefined when it is the file of a blob already, which must not change. */
  async function openWhole(flags: number): Promise<FileHandle | undefined> {
    try {
      const file = await open(wholePath(), constants.O_WRONLY | constants.O_NOFOLLOW | flags, 0o644);
      const { nlink, mode } = await file.stat();
      if (nlink === 1 && (mode & 0o222) !== 0) return file;
      await file.close();
    } catch (error) {
      if (!hasCode(error, 'EACCES') && !hasCode(error, 'ENOENT')) throw error;
    }
    return undefined;
  }

  function hasPlace(number: number, sizeBytes: number, pieceCount: number): boolean {
    if (pieceBytes === undefined || placeOf(number) + sizeBytes > mostWholeBytes) return false;
    return number < pieceCount ? sizeBytes === pieceBytes : sizeBytes <= pieceBytes;
  }

  function mayPlace(number: number, sizeBytes: number, pieceCount: number): boolean {
    if (sizeBytes > 0 && (number < pieceCount || pieceCount === 1)) pieceBytes ??= sizeBytes;
    return hasPlace(number, sizeBytes, pieceCount) && !placed.has(number) && !writing.has(number);
  }

  async function markPlaced(piece: Piece): Promise<void> {
    await writeFile(markerPath(piece), '');
    placed.set(piece.number, piece);
    seen.add(piece.etag);
  }

  /** Its place is free again. */
  async function forgetPlaced(piece: Piece): Promise<void> {
    if (!isPlaced(piece)) return;
    placed.delete(piece.number);
    await rm(markerPath(piece), { force: true });
  }

  /** Undefined when it has no place, or another has it; nothing was read then. */
  async function putInPlace(
    number: number,
    source: ByteSource,
    { sizeBytes, pieceCount, maxBytes }: PieceExpectation,
  ): Promise<Piece | undefined> {
    if (sizeBytes === undefined || pieceCount === undefined || !mayPlace(number, sizeBytes, pieceCount))
      return undefined;
    writing.add(number);
    try {
      const file = await openWhole(constants.O_CREAT);
      if (file === undefined) return undefined;
      try {
        const piece = await receive(number, { sizeBytes, maxBytes }, (options) =>
          writeFrom(source, file, { ...options, at: placeOf(number) }),
        );
        await markPlaced(piece);
        sync.wrote(piece.sizeBytes);
        hash.advance();
        await hash.keepPace(Math.floor(mostBehindBytes / sizeBytes));
        return piece;
      } finally {
        await file.close();
      }
    } finally {
      writing.delete(number);
    }
  }

  async function putApart(number: number, source: ByteSource, expected: PieceExpectation): Promise<Piece> {
    const draft = join(folder, `${newVersion()}.draft`);
    try {
      const piece = await receive(number, expected, (options) => writeNewFile(draft, source, options));
      await rename(draft, apartPath(piece));
      return piece;
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async function* read(piece: Piece): AsyncGenerator<Uint8Array> {
    const { number, etag, sizeBytes } = piece;
    if (!etagPattern.test(etag)) throw blobErrors.BLOB_PIECE_LOST(number);
    const start = placeOf(number);
    let [sum, size] = [0, 0];
    try {
      const chunks = isPlaced(piece)
        ? readFileRange(wholePath(), { start, end: start + sizeBytes })
        : readFileRange(apartPath(piece));
      for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
        sum = crc32(chunk, sum);
        size += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      throw lostWhenMissing(error, number);
    }
    if (size !== sizeBytes || toHex(sum) !== etag.slice(0, 8)) throw blobErrors.BLOB_PIECE_LOST(number);
  }

  /** Of a piece in its place. Its sum is looked at when it may have lain there through a power cut; what one took is sent again. */
  async function hear(piece: Piece, tell: (chunk: Uint8Array) => void): Promise<void> {
    const { number, etag, sizeBytes } = piece;
    const start = placeOf(number);
    const known = seen.has(etag);
    let sum = 0;
    const size = await readThrough(wholePath(), { start, end: start + sizeBytes }, (chunk) => {
      tell(chunk);
      if (!known) sum = crc32(chunk, sum);
    }).catch((error: unknown) => {
      throw lostWhenMissing(error, number);
    });
    if (size === sizeBytes && (known || toHex(sum) === etag.slice(0, 8))) return;
    await forgetPlaced(piece);
    throw blobErrors.BLOB_PIECE_LOST(number);
  }

  /** Copies a piece that lies apart to its place, over the version there, which no one asks for any more. */
  async function takeIn(file: FileHandle, piece: Piece): Promise<void> {
    if ((await fileOrNothing(apartPath(piece))) === undefined) throw blobErrors.BLOB_PIECE_LOST(piece.number);
    const former = placed.get(piece.number);
    if (former !== undefined) await forgetPlaced(former);
    let at = placeOf(piece.number);
    for await (const chunk of read(piece)) {
      await writeWhole(file, chunk, at);
      at += chunk.byteLength;
    }
    await markPlaced(piece);
    await rm(apartPath(piece), { force: true });
  }

  return {
    hash,
    read,

    async put(number, source, expected) {
      await mkdir(folder, { recursive: true });
      try {
        return (await putInPlace(number, source, expected)) ?? (await putApart(number, source, expected));
      } catch (error) {
        throw lostWhenMissing(error, number); // the group was removed meanwhile
      }
    },

    async gather(pieces) {
      const fitting = ({ number, sizeBytes }: Piece, index: number) =>
        number === index + 1 && hasPlace(number, sizeBytes, pieces.length);
      if (pieces.length === 0 || !pieces.every(fitting)) return undefined;
      if (isDistrusted || sync.hasFailed()) return undefined;
      const apart = pieces.filter((piece) => !isPlaced(piece));
      // a sender whose place was taken over by another may still write there
      if (apart.some(({ number }) => writing.has(number))) return undefined;
      for (const { number } of apart) writing.add(number);
      try {
        const file = await openWhole(0);
        if (file === undefined) return apart.length === 0 ? wholePath() : undefined;
        try {
          for (const piece of apart) await takeIn(file, piece);
          await file.truncate(pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
        } finally {
          await file.close();
        }
      } finally {
        for (const { number } of apart) writing.delete(number);
      }
      return wholePath();
    },

    distrust() {
      isDistrusted = true;
    },

    async drop(piece) {
      if (!isPlaced(piece)) await rm(apartPath(piece), { force: true }); // what lies in its place is written over there
    },
  };
}

async function receive(
  number: number,
  { sizeBytes, maxBytes = Number.POSITIVE_INFINITY }: PieceExpectation,
  write: (options: Writing) => Promise<number>,
): Promise<Piece> {
  let sum = 0;
  const size = await write({
    maxBytes: Math.min(maxBytes, sizeBytes ?? maxBytes),
    durable: false,
    hear: (chunk) => (sum = crc32(chunk, sum)),
  });
  checkPieceSize(number, sizeBytes, size);
  return { number, etag: `${toHex(sum)}-${newVersion()}`, sizeBytes: size };
}

const newVersion = (): string => randomBytes(8).toString('hex');
const toHex = (sum: number): string => sum.toString(16).padStart(8, '0');

const lostWhenMissing = (error: unknown, number: number): unknown =>
  hasCode(error, 'ENOENT') ? blobErrors.BLOB_PIECE_LOST(number) : error;
