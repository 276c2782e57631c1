import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blobErrors, checkDigest, isDigest } from './blob-errors.ts';
import type { BlobExpectation, BlobInfo, BlobStore, ByteSource } from './blob-store.ts';
import {
  entries,
  fileOrNothing,
  hasCode,
  moveFile,
  readFileRange,
  syncFile,
  syncPath,
  writeNewFile,
} from './local-files.ts';
import { createLocalPieces } from './local-pieces.ts';

/**
 * A folder of blobs: `ab/cd/<sha256>`, with `incoming/` for what is being written. A crash leaves files in `incoming/`
 * only; files older than a day there are removed by each `list`. `pieces/` is
 * described in local-pieces.ts. Links are never followed.
 *
 * Names are made, looked up and changed synchronously, small files read so: each takes microseconds, a trip through the
 * thread pool many more. What waits for the disk (a sync, a large file) does not hold the event loop.
 */
export function createLocalBlobStore(
  folder: string,
  /** Tells what was abandoned long ago. */
  { nowMs = Date.now }: { readonly nowMs?: () => number } = {},
): BlobStore {
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

  const explain = (error: unknown): unknown => (hasCode(error, 'ENOSPC') ? blobErrors.DISK_FULL(folder) : error);

  async function discarding<T>(temporary: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await rm(temporary, { force: true });
      throw explain(error);
    }
  }

  async function putStream(source: ByteSource, expected: BlobExpectation = {}): Promise<BlobInfo> {
    if (expected.sha256 !== undefined) checkDigest(expected.sha256);
    const temporary = temporaryPath();
    return await discarding(temporary, async () => {
      const hash = createHash('sha256');
      const sizeBytes = await writeNewFile(temporary, source, {
        maxBytes: expected.maxBytes ?? Number.POSITIVE_INFINITY,
        durable: true,
        hear: (chunk) => hash.update(chunk),
      });
      const sha256 = hash.digest('hex');
      if (expected.sha256 !== undefined && expected.sha256 !== sha256)
        throw blobErrors.BLOB_DIGEST_MISMATCH(expected.sha256, sha256);
      await publish(temporary, sha256);
      return { sha256, sizeBytes };
    });
  }

  async function adopt(path: string, sha256: string): Promise<boolean> {
    const temporary = temporaryPath();
    return await discarding(temporary, async () => {
      try {
        linkSync(path, temporary);
      } catch (error) {
        if (linkRefusals.some((code) => hasCode(error, code))) return false;
        throw error;
      }
      await publish(temporary, sha256, sealFile);
      return true;
    });
  }

  async function existing(sha256: string): Promise<{ path: string; sizeBytes: number }> {
    checkDigest(sha256);
    const path = pathOf(sha256);
    const sizeBytes = (await fileOrNothing(path))?.size;
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
      if (range === undefined) return readFileRange(path);
      const end = Math.min(range.end ?? sizeBytes, sizeBytes);
      if (range.start < 0 || range.start > sizeBytes || end < range.start)
        throw blobErrors.BLOB_RANGE_INVALID(range.start, sizeBytes);
      return readFileRange(path, { start: range.start, end });
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
      const found = await fileOrNothing(pathOf(sha256));
      return found === undefined ? undefined : { sizeBytes: found.size };
    },

    async remove(sha256) {
      checkDigest(sha256);
      await rm(pathOf(sha256), { force: true });
    },

    async *list() {
      await removeAbandoned(incoming, nowMs() - abandonedAfterMs);
      for (const outer of await shards(folder)) {
        for (const inner of await shards(join(folder, outer))) {
          for (const sha256 of await entries(join(folder, outer, inner))) {
            if (!isDigest(sha256)) continue;
            const found = await fileOrNothing(join(folder, outer, inner, sha256));
            if (found !== undefined) yield { sha256, sizeBytes: found.size, modifiedMs: Math.trunc(found.mtimeMs) };
          }
        }
      }
    },

    pieces: createLocalPieces(join(folder, 'pieces'), { putStream, adopt, explain }),
  };
}

/** Of file systems on which a file has one name, or has as many as they allow. */
const linkRefusals = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'];

const smallBytes = 256 * 1024;

async function hashFile(path: string): Promise<BlobInfo> {
  const hash = createHash('sha256');
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

/** A link in the place of a blob counts as nothing: the rename replaces it. */
const isPresent = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;

const abandonedAfterMs = 24 * 3_600_000;

async function removeAbandoned(incoming: string, beforeMs: number): Promise<void> {
  for (const name of await entries(incoming)) {
    const found = await fileOrNothing(join(incoming, name));
    if (found !== undefined && found.mtimeMs < beforeMs) await rm(join(incoming, name), { force: true });
  }
}

async function shards(folder: string): Promise<readonly string[]> {
  return (await entries(folder)).filter((name) => /^[0-9a-f]{2}$/.test(name));
}
