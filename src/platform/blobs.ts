export { blobErrors } from './blobs/blob-errors.ts';
export type {
  BlobExpectation,
  BlobInfo,
  BlobStore,
  Piece,
  PieceStore,
  StoredBlob,
} from './blobs/blob-store.ts';
export { createLocalBlobStore } from './blobs/local-blob-store.ts';
export { type BlobPlace, openBlobStore } from './blobs/open-blob-store.ts';
