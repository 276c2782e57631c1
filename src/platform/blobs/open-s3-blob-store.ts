import { randomUUID } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { withCause } from '../errors.ts';
import { blobErrors } from './blob-errors.ts';
import type { BlobStore } from './blob-store.ts';
import type { BlobPlace } from './open-blob-store.ts';
import { createS3BlobStore } from './s3-blob-store.ts';
import { createS3Objects, statusOf } from './s3-objects.ts';

export async function openS3BlobStore(place: BlobPlace): Promise<BlobStore> {
  const { environment, nowMs = Date.now } = place;
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(place.blobs) ?? [];
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`;
  const endpoint = place.s3Endpoint ?? environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL'];
  const given = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  // other servers than Amazon's take any region; Amazon's may stand in the profile, which the SDK reads
  const region = given ?? (endpoint === undefined ? undefined : 'us-east-1');
  // whoever runs a Node.js that we support is not told at each start that another is newer
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const client = new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // SigV4 and the digests of blobs check the bytes already; other servers do not know all of S3's newer sums
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 5_000 },
  });
  await tryBucket(client, { bucket, prefix, endpoint, url: place.blobs });
  return createS3BlobStore({
    objects: createS3Objects(client, bucket, place.blobs),
    prefix,
    cache: { folder: place.cacheFolder, maxBytes: place.cacheBytes },
    presign: place.s3Presign === 'on',
    nowMs,
  });
}

/** Writes and removes a small object: whether that is allowed is known now, not at the first upload. */
async function tryBucket(
  client: S3Client,
  place: {
    readonly bucket: string;
    readonly prefix: string;
    readonly endpoint: string | undefined;
    readonly url: string;
  },
): Promise<void> {
  const target = { Bucket: place.bucket, Key: `${place.prefix}incoming/probe-${randomUUID()}` };
  try {
    await client.send(new PutObjectCommand({ ...target, Body: Buffer.alloc(0), ContentLength: 0 }));
    await client.send(new DeleteObjectCommand(target));
  } catch (error) {
    throw withCause(blobErrors.BLOB_STORE_UNUSABLE(place.url, whyUnusable(error, place)), error);
  }
}

function whyUnusable(error: unknown, { bucket, endpoint }: { bucket: string; endpoint: string | undefined }): string {
  const where = endpoint ?? "Amazon's S3";
  const { name = '', message = '' } = error instanceof Error ? error : {};
  const code = error instanceof Error && 'code' in error ? String(error.code) : name;
  switch (statusOf(error)) {
    case 404:
      return `${where} has no bucket "${bucket}": create it, or correct the name in --blobs`;
    case 301:
    case 307:
      return `the bucket "${bucket}" lies in another region: set AWS_REGION to it`;
    case 401:
    case 403:
      return `${where} refuses the credentials (${name}): correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or let them write to the bucket "${bucket}"`;
    default:
  }
  if (name === 'CredentialsProviderError')
    return 'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE';
  if (/region is missing/i.test(message))
    return 'the region is not known: set AWS_REGION, or name a server with --s3-endpoint';
  return `${where} does not answer as an S3 server does (${code}): is --s3-endpoint right, and does the server run?`;
}
