import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  fchmodSync,
  fsync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { defineErrors } from './errors.ts';

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

/** Bytes named by their SHA-256 (lower-case hex). Putting the same bytes twice is one blob; a blob never changes. */
export interface BlobStore {
  /** Durable when it resolves: written aside, fsynced, renamed. BLOB_DIGEST_MISMATCH, BLOB_TOO_LARGE leave nothing. */
  putStream(source: Readable | AsyncIterable<Uint8Array>, expected?: BlobExpectation): Promise<BlobInfo>;
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
}

export const blobErrors = defineErrors({
  BLOB_NOT_FOUND: {
    kind: 'not_found',
    message: (sha256: string) => `there is no blob ${sha256} in the store`,
    help: 'Upload the bytes again, or restore the blobs folder from the backup that belongs to this database.',
  },
  BLOB_NAME_INVALID: {
    kind: 'invalid',
    message: (sha256: string) => `"${sha256.slice(0, 80)}" is not a SHA-256 in 64 lower-case hexadecimal digits`,
  },
  BLOB_DIGEST_MISMATCH: {
    kind: 'invalid',
    message: (expected: string, actual: string) =>
      `the bytes have SHA-256 ${actual}, not ${expected}: they changed on the way or on disk; send them again`,
  },
  BLOB_TOO_LARGE: {
    kind: 'too_large',
    message: (maxBytes: number) => `the upload is larger than the ${maxBytes} bytes that are allowed`,
    help: 'Send a smaller file, or start the server with a larger `--upload-limit-bytes`.',
  },
  BLOB_RANGE_INVALID: {
    kind: 'invalid',
    message: (start: number, sizeBytes: number) => `the range starts at ${start}, the blob has ${sizeBytes} bytes`,
  },
  DISK_FULL: {
    kind: 'unavailable',
    message: (folder: string) =>
      `the disk that holds ${folder} is full: free space or move the home folder, then retry`,
  },
});

const digestPattern = /^[0-9a-f]{64}$/;

function checkDigest(sha256: string): void {
  if (!digestPattern.test(sha256)) throw blobErrors.BLOB_NAME_INVALID(sha256);
}

/**
 * A folder of blobs: `ab/cd/<sha256>`, with `incoming/` for what is being written. A crash leaves files in `incoming/`
 * only; files older than a day there are removed by the first `list`.
 *
 * Names are made, looked up and changed synchronously, small files read so: each takes microseconds, a trip through the
 * thread pool many more. What waits for the disk (a sync, a large file) does not hold the event loop.
 */
export function createLocalBlobStore(folder: string): BlobStore {
  const incoming = join(folder, 'incoming');
  const pathOf = (sha256: string) => join(folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  let sequence = 0;

  function temporaryPath(): string {
    mkdirSync(incoming, { recursive: true });
    sequence += 1;
    return join(incoming, `${process.pid}-${Date.now().toString(36)}-${sequence}`);
  }

  /**
   * The rename and the folder's entry are durable afterwards, once more when the blob was there before.
   * @param seal makes the bytes themselves durable; not called for bytes that are there
   */
  async function publish(temporary: string, sha256: string, seal?: (path: string) => Promise<void>): Promise<void> {
    const target = pathOf(sha256);
    const parent = dirname(target);
    if (isPresent(target)) {
      const now = new Date();
      utimesSync(target, now, now); // fresh again for whoever collects by age
      unlinkSync(temporary);
      return await syncPath(parent); // another writer may have renamed it without having synced yet
    }
    await seal?.(temporary);
    const made = mkdirSync(parent, { recursive: true });
    renameSync(temporary, target);
    await syncPath(parent);
    if (made !== undefined) {
      await syncPath(dirname(parent));
      await syncPath(folder);
    }
  }

  async function discarding<T>(temporary: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await rm(temporary, { force: true });
      throw hasCode(error, 'ENOSPC') ? blobErrors.DISK_FULL(folder) : error;
    }
  }

  async function putStream(source: AsyncIterable<Uint8Array>, expected: BlobExpectation = {}): Promise<BlobInfo> {
    if (expected.sha256 !== undefined) checkDigest(expected.sha256);
    const temporary = temporaryPath();
    return await discarding(temporary, async () => {
      const written = await writeHashed(temporary, source, expected.maxBytes ?? Number.POSITIVE_INFINITY);
      if (expected.sha256 !== undefined && expected.sha256 !== written.sha256)
        throw blobErrors.BLOB_DIGEST_MISMATCH(expected.sha256, written.sha256);
      await publish(temporary, written.sha256);
      return written;
    });
  }

  async function existing(sha256: string): Promise<{ path: string; sizeBytes: number }> {
    checkDigest(sha256);
    const path = pathOf(sha256);
    const sizeBytes = await sizeOf(path);
    if (sizeBytes === undefined) throw blobErrors.BLOB_NOT_FOUND(sha256);
    return { path, sizeBytes };
  }

  return {
    putStream,

    async putFile(path, options = {}) {
      if (options.move !== true) return await putStream(createReadStream(path));
      const temporary = temporaryPath();
      return await discarding(temporary, async () => {
        await moveFile(path, temporary);
        const info = await hashFile(temporary);
        await publish(temporary, info.sha256, sealFile);
        return info;
      });
    },

    async openRead(sha256, range) {
      const { path, sizeBytes } = await existing(sha256);
      if (range === undefined) return createReadStream(path);
      const end = Math.min(range.end ?? sizeBytes, sizeBytes);
      if (range.start < 0 || range.start > sizeBytes || end < range.start)
        throw blobErrors.BLOB_RANGE_INVALID(range.start, sizeBytes);
      // createReadStream's end is inclusive; an empty range has no such form, so it reads nothing of an empty start
      if (end === range.start) return createReadStream(path, { start: sizeBytes });
      return createReadStream(path, { start: range.start, end: end - 1 });
    },

    async readAll(sha256) {
      const { path } = await existing(sha256);
      return await readFile(path);
    },

    async localPath(sha256) {
      return (await existing(sha256)).path;
    },

    async stat(sha256) {
      checkDigest(sha256);
      const sizeBytes = await sizeOf(pathOf(sha256));
      return sizeBytes === undefined ? undefined : { sizeBytes };
    },

    async remove(sha256) {
      checkDigest(sha256);
      await rm(pathOf(sha256), { force: true });
    },

    async *list() {
      await removeAbandoned(incoming);
      for (const outer of await shards(folder)) {
        for (const inner of await shards(join(folder, outer))) {
          for (const sha256 of await entries(join(folder, outer, inner))) {
            if (!digestPattern.test(sha256)) continue;
            const found = await statOrNothing(join(folder, outer, inner, sha256));
            if (found !== undefined) yield { sha256, sizeBytes: found.size, modifiedMs: Math.trunc(found.mtimeMs) };
          }
        }
      }
    },
  };
}

async function writeHashed(path: string, source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<BlobInfo> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o444);
  let sizeBytes = 0;
  try {
    for await (const chunk of source) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes) throw blobErrors.BLOB_TOO_LARGE(maxBytes);
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    await file.datasync();
  } finally {
    await file.close();
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** `FileHandle.write` may write less than it was given. */
async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < chunk.byteLength) offset += (await file.write(chunk, offset)).bytesWritten;
}

const smallBytes = 256 * 1024;

async function hashFile(path: string): Promise<BlobInfo> {
  const hash: Hash = createHash('sha256');
  if (statSync(path).size <= smallBytes) {
    const bytes = readFileSync(path);
    return { sha256: hash.update(bytes).digest('hex'), sizeBytes: bytes.byteLength };
  }
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** Durable, and read-only: a worker that opens it for writing fails instead of changing the store. */
async function sealFile(path: string): Promise<void> {
  const file = openSync(path, 'r');
  try {
    fchmodSync(file, 0o444);
    await syncFile(file);
  } finally {
    closeSync(file);
  }
}

/** Across file systems a rename is refused; there the bytes are copied and the source removed. */
async function moveFile(from: string, to: string): Promise<void> {
  const found = lstatSync(from);
  if (!found.isFile()) throw notAFile(from);
  try {
    if (found.nlink === 1) {
      renameSync(from, to);
      // Whoever still writes there may have put a link in its place; here it is out of reach.
      if (lstatSync(to).isFile()) return;
      throw notAFile(from);
    }
  } catch (error) {
    if (!hasCode(error, 'EXDEV')) throw error;
  }
  // a file with other names could be written through them, so it is copied too
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  await pipeline(source.createReadStream(), createWriteStream(to, { flags: 'wx' }));
  await unlink(from);
}

const notAFile = (path: string) => new Error(`${path} is no file, and only files become blobs`);

const syncFile = promisify(fsync);

async function syncPath(path: string): Promise<void> {
  const opened = openSync(path, 'r');
  try {
    await syncFile(opened);
  } finally {
    closeSync(opened);
  }
}

const isPresent = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

const abandonedAfterMs = 24 * 3_600_000;

async function removeAbandoned(incoming: string): Promise<void> {
  for (const name of await entries(incoming)) {
    const found = await statOrNothing(join(incoming, name));
    if (found !== undefined && Date.now() - found.mtimeMs > abandonedAfterMs)
      await rm(join(incoming, name), { force: true });
  }
}

async function shards(folder: string): Promise<readonly string[]> {
  return (await entries(folder)).filter((name) => /^[0-9a-f]{2}$/.test(name));
}

async function entries(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await statOrNothing(path))?.size;
}

async function statOrNothing(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
