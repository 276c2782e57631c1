import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, unlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createBlobCache } from './blob-cache.ts';
import { blobErrors, checkDigest, isDigest } from './blob-errors.ts';
import type { BlobExpectation, BlobInfo, BlobStore, ByteSource } from './blob-store.ts';
import { inParts } from './parts.ts';
import type { S3Objects } from './s3-objects.ts';
import { createS3Pieces } from './s3-pieces.ts';

const hourMs = 3_600_000;
const abandonedAfterMs = 24 * hourMs;
/** What is put again is made fresh for whoever collects by age, unless it is fresh enough. */
const freshMs = 12 * hourMs;

/**
 * Blobs in a bucket: `blobs/<sha256>`, with `incoming/` for what is being written and `pieces/` as in s3-pieces.ts. What
 * is small enough to be hashed before it is sent goes to its place at once; the rest goes up while it is hashed, and
 * the S3 server copies it to its place (docs/adr/0020). A crash leaves objects and open uploads in `incoming/` only;
 * those older than a day are removed by each `list`.
 */
export function createS3BlobStore(options: {
  readonly objects: S3Objects;
  /** Ends with a slash, or is empty. */
  readonly prefix: string;
  readonly cache: { readonly folder: string; readonly maxBytes: number };
  readonly presign: boolean;
  readonly nowMs: () => number;
}): BlobStore {
  const { objects, prefix, nowMs } = options;
  const incoming = `${prefix}incoming/`;
  const blobs = `${prefix}blobs/`;
  const keyOf = (sha256: string): string => `${blobs}${sha256}`;
  const cache = createBlobCache(options.cache);

  /** True when the bytes are in their place already, and fresh. */
  async function refreshed(sha256: string): Promise<boolean> {
    const found = await objects.head(keyOf(sha256));
    if (found === undefined) return false;
    if (nowMs() - found.modifiedMs > freshMs) await objects.copy(found.key, found.key, found.sizeBytes);
    return true;
  }

  async function putStream(source: ByteSource, expected: BlobExpectation = {}): Promise<BlobInfo> {
    if (expected.sha256 !== undefined) checkDigest(expected.sha256);
    const hash = createHash('sha256');
    const parts = inParts(source, { maxBytes: expected.maxBytes, hear: (chunk) => hash.update(chunk) });
    const first = await parts.next();
    if (first.done === true || first.value.last) {
      const bytes = first.done === true ? Buffer.alloc(0) : first.value.bytes;
      const digest = hash.digest();
      const sha256 = digest.toString('hex');
      requireDigest(expected, sha256);
      if (!(await refreshed(sha256))) await objects.putNew(keyOf(sha256), bytes, digest.toString('base64'));
      return { sha256, sizeBytes: bytes.byteLength };
    }
    const draft = `${incoming}${randomUUID()}`;
    const upload = await objects.beginUpload(draft);
    let sizeBytes = first.value.bytes.byteLength;
    let sha256: string;
    try {
      await upload.part(first.value.bytes);
      for await (const { bytes } of parts) {
        sizeBytes += bytes.byteLength;
        await upload.part(bytes);
      }
      sha256 = hash.digest('hex');
      requireDigest(expected, sha256);
      if (await refreshed(sha256)) {
        await upload.abort();
        return { sha256, sizeBytes };
      }
      await upload.complete();
    } catch (error) {
      await upload.abort();
      throw error;
    }
    try {
      await objects.copy(draft, keyOf(sha256), sizeBytes);
    } finally {
      await objects.remove(draft);
    }
    return { sha256, sizeBytes };
  }

  async function openRead(sha256: string, range?: { readonly start: number; readonly end?: number }) {
    checkDigest(sha256);
    if (range === undefined) return readable(await objects.open(keyOf(sha256)), sha256);
    const { start, end } = range;
    if (start < 0 || end === start || (end !== undefined && end < start)) return await emptyRange(sha256, range);
    const body = await objects.open(keyOf(sha256), `bytes=${start}-${end === undefined ? '' : end - 1}`);
    return body === 'out-of-range' ? await emptyRange(sha256, range) : readable(body, sha256);
  }

  /** Nothing lies in the range: no error at the very end of the blob. */
  async function emptyRange(
    sha256: string,
    { start, end = Number.POSITIVE_INFINITY }: { start: number; end?: number },
  ) {
    const found = await objects.head(keyOf(sha256));
    if (found === undefined) throw blobErrors.BLOB_NOT_FOUND(sha256);
    if (start < 0 || start > found.sizeBytes || end < start)
      throw blobErrors.BLOB_RANGE_INVALID(start, found.sizeBytes);
    return Readable.from([]);
  }

  return {
    putStream,

    async putFile(path, { move = false } = {}) {
      const info = await putStream(createReadStream(path));
      if (move) await unlink(path);
      return info;
    },

    openRead,

    async readAll(sha256) {
      const cached = await cache.find(sha256);
      return cached === undefined ? await buffer(await openRead(sha256)) : await readFile(cached);
    },

    async localPath(sha256) {
      checkDigest(sha256);
      return await cache.get(sha256, () => openRead(sha256));
    },

    async stat(sha256) {
      checkDigest(sha256);
      const found = await objects.head(keyOf(sha256));
      return found && { sizeBytes: found.sizeBytes };
    },

    async remove(sha256) {
      checkDigest(sha256);
      await objects.remove(keyOf(sha256));
      await cache.remove(sha256);
    },

    async *list() {
      const beforeMs = nowMs() - abandonedAfterMs;
      await objects.abortUploads(prefix, beforeMs);
      for await (const { key, modifiedMs } of objects.list(incoming))
        if (modifiedMs < beforeMs) await objects.remove(key);
      for await (const { key, sizeBytes, modifiedMs } of objects.list(blobs)) {
        const sha256 = key.slice(blobs.length);
        if (isDigest(sha256)) yield { sha256, sizeBytes, modifiedMs };
      }
    },

    pieces: createS3Pieces({ objects, folder: `${prefix}pieces/`, keyOf, putStream, refreshed }),

    ...(options.presign && {
      presignRead: (sha256: string, answer: { fileName: string; contentType: string; expiresInS: number }) => {
        checkDigest(sha256);
        const contentDisposition = `attachment; filename*=UTF-8''${encodeURIComponent(answer.fileName)}`;
        return objects.presignRead(keyOf(sha256), { contentDisposition, ...answer });
      },
    }),
  };
}

function requireDigest(expected: BlobExpectation, actual: string): void {
  if (expected.sha256 !== undefined && expected.sha256 !== actual)
    throw blobErrors.BLOB_DIGEST_MISMATCH(expected.sha256, actual);
}

function readable(body: Readable | 'out-of-range' | undefined, sha256: string): Readable {
  if (body === undefined || body === 'out-of-range') throw blobErrors.BLOB_NOT_FOUND(sha256);
  return body;
}
