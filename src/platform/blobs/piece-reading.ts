import { crc32 } from 'node:zlib';
import { blobErrors } from './blob-errors.ts';
import type { Piece } from './blob-store.ts';
import { hasCode, readFileRange, readThrough } from './local-files.ts';
import type { PiecePlaces } from './piece-places.ts';

/** A version of a piece: the CRC-32 of its bytes, by which what a power cut took is found, and what tells it from others. */
const etagPattern = /^[0-9a-f]{8}-[0-9a-f]{16}$/;

export const toEtag = (sum: number, version: string): string => `${toHex(sum)}-${version}`;

const toHex = (sum: number): string => sum.toString(16).padStart(8, '0');
const hasSum = ({ etag }: Piece, sum: number): boolean => etag.slice(0, 8) === toHex(sum);

/** The bytes of a piece, wherever it lies, held against its sum: BLOB_PIECE_LOST at their end. */
export async function* readPiece(places: PiecePlaces, piece: Piece): AsyncGenerator<Uint8Array> {
  const { number, etag, sizeBytes } = piece;
  if (!etagPattern.test(etag)) throw blobErrors.BLOB_PIECE_LOST(number);
  const start = places.startOf(number);
  let [sum, size] = [0, 0];
  try {
    const chunks = places.isPlaced(piece)
      ? readFileRange(places.wholePath, { start, end: start + sizeBytes })
      : readFileRange(places.apartPath(piece));
    for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
      sum = crc32(chunk, sum);
      size += chunk.byteLength;
      yield chunk;
    }
  } catch (error) {
    throw lostWhenMissing(error, number);
  }
  if (size !== sizeBytes || !hasSum(piece, sum)) throw blobErrors.BLOB_PIECE_LOST(number);
}

/**
 * The same of a piece in its place, for a hash. Its sum is looked at when it may have lain there through a power cut;
 * what one took is sent again.
 */
export async function hearPlaced(places: PiecePlaces, piece: Piece, tell: (chunk: Uint8Array) => void): Promise<void> {
  const { number, sizeBytes } = piece;
  const start = places.startOf(number);
  const known = places.isSeen(piece);
  let sum = 0;
  const size = await readThrough(places.wholePath, { start, end: start + sizeBytes }, (chunk) => {
    tell(chunk);
    if (!known) sum = crc32(chunk, sum);
  }).catch((error: unknown) => {
    throw lostWhenMissing(error, number);
  });
  if (size === sizeBytes && (known || hasSum(piece, sum))) return;
  await places.forgetPlaced(piece);
  throw blobErrors.BLOB_PIECE_LOST(number);
}

export const lostWhenMissing = (error: unknown, number: number): unknown =>
  hasCode(error, 'ENOENT') ? blobErrors.BLOB_PIECE_LOST(number) : error;
