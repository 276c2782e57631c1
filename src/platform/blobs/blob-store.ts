import type { Readable } from 'node:stream';

export interface BlobInfo {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface StoredBlob extends BlobInfo {
  readonly modifiedMs: number;
}

export interface BlobExpectation {
  /** Refuse the bytes unless they have this digest. */
  readonly sha256?: string;
  readonly maxBytes?: number;
}

export type ByteSource = Readable | AsyncIterable<Uint8Array>;

/** Bytes named by their SHA-256 (lower-case hex). Putting the same bytes twice is one blob; a blob never changes. */
export interface BlobStore {
  /** Durable when it resolves: written aside, fsynced, renamed. BLOB_DIGEST_MISMATCH, BLOB_TOO_LARGE leave nothing. */
  putStream(source: ByteSource, expected?: BlobExpectation): Promise<BlobInfo>;
  /** `move` consumes the file, without copying where the file system can; it must not be written to any more. */
  putFile(path: string, options?: { readonly move?: boolean }): Promise<BlobInfo>;
  /** `start` inclusive, `end` exclusive, clipped to the blob. BLOB_NOT_FOUND, BLOB_RANGE_INVALID. */
  openRead(sha256: string, range?: { readonly start: number; readonly end?: number }): Promise<Readable>;
  /** All of it at once: for small blobs, manifests and texts. */
  readAll(sha256: string): Promise<Buffer>;
  /** A local file with these bytes, for workers: read it, never write it. A remote store caches. */
  localPath(sha256: string): Promise<string>;
  stat(sha256: string): Promise<{ readonly sizeBytes: number } | undefined>;
  /** Removing what is not there is no error. */
  remove(sha256: string): Promise<void>;
  /** In order of digest. */
  list(): AsyncIterable<StoredBlob>;
  readonly pieces: PieceStore;
  /** Where a client may fetch the bytes without us; undefined where only we can give them out. */
  presignRead?(
    sha256: string,
    options: { readonly fileName: string; readonly contentType: string; readonly expiresInS: number },
  ): Promise<string>;
}

export interface Piece {
  readonly number: number;
  /** Names this very version of the piece: a piece that is put again is another one. */
  readonly etag: string;
  readonly sizeBytes: number;
}

/** What is known of a piece before its bytes come helps a store to write them where they are to stay. */
export interface PieceExpectation {
  /** It brings exactly so many: BLOB_PIECE_SHORT, BLOB_TOO_LARGE. */
  readonly sizeBytes?: number | undefined;
  /** How many pieces make the whole. */
  readonly pieceCount?: number;
  readonly maxBytes?: number | undefined;
}

/**
 * Bytes of blobs that arrive in pieces, in any order, some of them twice. They are no blobs: nothing reads them but
 * `join`. Who puts them keeps a record of their groups, and removes those that nobody joins.
 */
export interface PieceStore {
  /** Outlives this process when it resolves; that it outlived a power cut is checked by `join`. */
  put(group: string, number: number, source: ByteSource, expected?: PieceExpectation): Promise<Piece>;
  /** One blob of all these, in their order; the pieces stay. BLOB_PIECE_LOST when one is not as it was put. */
  join(group: string, pieces: readonly Piece[]): Promise<BlobInfo>;
  /** A version of a piece that does not count any more. Removing what is not there is no error. */
  drop(group: string, piece: Piece): Promise<void>;
  /** Every piece of the group. Removing what is not there is no error. */
  remove(group: string): Promise<void>;
  groups(): AsyncIterable<string>;
}
