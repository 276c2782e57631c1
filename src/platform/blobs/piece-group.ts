import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type BackgroundSync, createBackgroundSync } from './background-sync.ts';
import { blobErrors, checkPieceSize } from './blob-errors.ts';
import type { ByteSource, Piece, PieceExpectation } from './blob-store.ts';
import { writeWhole } from './file-sink.ts';
import { fileOrNothing, type Writing, writeFrom, writeNewFile } from './local-files.ts';
import { PiecePlaces } from './piece-places.ts';
import { hearPlaced, lostWhenMissing, readPiece, toEtag } from './piece-reading.ts';
import { createRunningHash, type RunningHash } from './running-hash.ts';

/** A part is answered when no more is left to be hashed of those that lie in a row. */
const mostBehindBytes = 256 * 1024 * 1024;

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
 * The pieces of one blob, in a folder as in piece-places.ts. A place is written by one at a time, once: what is put again
 * lies apart until `gather` takes it in, so that no version is ever half another.
 */
export async function openPieceGroup(folder: string): Promise<PieceGroup> {
  const places = await PiecePlaces.find(folder);
  const sync = createBackgroundSync(() => places.wholePath);
  const hash = createRunningHash({
    next: (number) => places.placed(number),
    read: (piece, hear) => hearPlaced(places, piece, hear),
  });
  let isDistrusted = false;

  return {
    hash,
    read: (piece) => readPiece(places, piece),

    async put(number, source, expected) {
      await mkdir(folder, { recursive: true });
      try {
        const placed = await putInPlace({ places, sync, hash }, number, source, expected);
        return placed ?? (await putApart(places, number, source, expected));
      } catch (error) {
        throw lostWhenMissing(error, number); // the group was removed meanwhile
      }
    },

    async gather(pieces) {
      return isDistrusted || sync.hasFailed() ? undefined : await gatherWhole(places, pieces);
    },

    distrust() {
      isDistrusted = true;
    },

    async drop(piece) {
      // what lies in its place is written over there
      if (!places.isPlaced(piece)) await rm(places.apartPath(piece), { force: true });
    },
  };
}

/** Undefined when it has no place, or another has it; nothing was read then. */
async function putInPlace(
  { places, sync, hash }: { readonly places: PiecePlaces; readonly sync: BackgroundSync; readonly hash: RunningHash },
  number: number,
  source: ByteSource,
  { sizeBytes, pieceCount, maxBytes }: PieceExpectation,
): Promise<Piece | undefined> {
  if (sizeBytes === undefined || pieceCount === undefined || !places.isFree(number, sizeBytes, pieceCount))
    return undefined;
  return await places.claiming([number], async () => {
    const file = await places.openWhole(constants.O_CREAT);
    if (file === undefined) return undefined;
    try {
      const piece = await receive(number, { sizeBytes, maxBytes }, (options) =>
        writeFrom(source, file, { ...options, at: places.startOf(number) }),
      );
      await places.markPlaced(piece);
      sync.wrote(piece.sizeBytes);
      hash.advance();
      await hash.keepPace(Math.floor(mostBehindBytes / sizeBytes));
      return piece;
    } finally {
      await file.close();
    }
  });
}

async function putApart(
  places: PiecePlaces,
  number: number,
  source: ByteSource,
  expected: PieceExpectation,
): Promise<Piece> {
  const draft = join(places.folder, `${newVersion()}.draft`);
  try {
    const piece = await receive(number, expected, (options) => writeNewFile(draft, source, options));
    await rename(draft, places.apartPath(piece));
    return piece;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
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
  return { number, etag: toEtag(sum, newVersion()), sizeBytes: size };
}

const newVersion = (): string => randomBytes(8).toString('hex');

/** The path of the whole, with each of these in its place and nothing behind them; undefined when that cannot be. */
async function gatherWhole(places: PiecePlaces, pieces: readonly Piece[]): Promise<string | undefined> {
  const fits = ({ number, sizeBytes }: Piece, index: number) =>
    number === index + 1 && places.hasPlace(number, sizeBytes, pieces.length);
  if (pieces.length === 0 || !pieces.every(fits)) return undefined;
  const apart = pieces.filter((piece) => !places.isPlaced(piece));
  const numbers = apart.map(({ number }) => number);
  // a sender whose place was taken over by another may still write there
  if (numbers.some((number) => places.isClaimed(number))) return undefined;
  return await places.claiming(numbers, async () => {
    const file = await places.openWhole();
    if (file === undefined) return apart.length === 0 ? places.wholePath : undefined;
    try {
      for (const piece of apart) await takeIn(places, file, piece);
      await file.truncate(pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    } finally {
      await file.close();
    }
    return places.wholePath;
  });
}

/** Copies a piece that lies apart to its place, over the version there, which no one asks for any more. */
async function takeIn(places: PiecePlaces, file: FileHandle, piece: Piece): Promise<void> {
  const apart = places.apartPath(piece);
  if ((await fileOrNothing(apart)) === undefined) throw blobErrors.BLOB_PIECE_LOST(piece.number);
  const former = places.placed(piece.number);
  if (former !== undefined) await places.forgetPlaced(former);
  let at = places.startOf(piece.number);
  for await (const chunk of readPiece(places, piece)) {
    await writeWhole(file, chunk, at);
    at += chunk.byteLength;
  }
  await places.markPlaced(piece);
  await rm(apart, { force: true });
}
