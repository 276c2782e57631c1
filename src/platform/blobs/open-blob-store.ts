import type { BlobStore } from './blob-store.ts';
import { createLocalBlobStore } from './local-blob-store.ts';

/** Where blobs lie: a folder, or a bucket with all that belongs to it. */
export interface BlobPlace {
  /** A folder, or `s3://<bucket>[/<prefix>]`. */
  readonly blobs: string;
  readonly s3Endpoint: string | undefined;
  /** Whether clients may be sent to the S3 server. */
  readonly s3Presign: 'on' | 'off';
  /** Where files lie that were fetched from the bucket for workers. */
  readonly cacheFolder: string;
  readonly cacheBytes: number;
  /** Region and endpoint as other tools set them; the SDK reads the credentials itself. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly nowMs?: () => number;
}

/** The store that is configured, tried once: BLOB_STORE_UNUSABLE says what is wrong with a bucket. */
export async function openBlobStore(place: BlobPlace): Promise<BlobStore> {
  const { blobs, nowMs = Date.now } = place;
  if (!blobs.startsWith('s3://')) return createLocalBlobStore(blobs, { nowMs });
  const { openS3BlobStore } = await import('./open-s3-blob-store.ts'); // the SDK takes time and memory that few need
  return await openS3BlobStore(place);
}
