import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { blobErrors, isDigest } from './blob-errors.ts';
import { entries, fileOrNothing, writeNewFile } from './local-files.ts';

/** A file that was asked for within the hour may be about to be opened. */
const inUseMs = 3_600_000;

export interface BlobCache {
  find(sha256: string): Promise<string | undefined>;
  /** The path of a file with these bytes, fetched when it is not there; those that ask at once wait for one. */
  get(sha256: string, open: () => Promise<Readable>): Promise<string>;
  remove(sha256: string): Promise<void>;
}

/** Copies of remote blobs for those who need a file: `ab/<sha256>`; the longest unused go when it grows too large. */
export function createBlobCache({ folder, maxBytes }: { folder: string; maxBytes: number }): BlobCache {
  const pathOf = (sha256: string): string => join(folder, sha256.slice(0, 2), sha256);
  const underWay = new Map<string, Promise<string>>();
  let sizeBytes: number | undefined; // not known until it is asked for

  async function find(sha256: string): Promise<string | undefined> {
    const path = pathOf(sha256);
    if ((await fileOrNothing(path)) === undefined) return undefined;
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined); // it may go at this moment
    return path;
  }

  async function fetch(sha256: string, open: () => Promise<Readable>): Promise<string> {
    const path = pathOf(sha256);
    await mkdir(dirname(path), { recursive: true });
    const draft = `${path}.${randomUUID()}`;
    try {
      const hash = createHash('sha256');
      const fetchedBytes = await writeNewFile(draft, await open(), {
        maxBytes: Number.POSITIVE_INFINITY,
        durable: false,
        hear: (chunk) => hash.update(chunk),
      });
      const actual = hash.digest('hex');
      if (actual !== sha256) throw blobErrors.BLOB_DIGEST_MISMATCH(sha256, actual);
      await rename(draft, path);
      await makeRoom(fetchedBytes);
      return path;
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async function makeRoom(addedBytes: number): Promise<void> {
    if (sizeBytes !== undefined) {
      sizeBytes += addedBytes;
      if (sizeBytes <= maxBytes) return;
    }
    const files: { path: string; sizeBytes: number; usedMs: number }[] = [];
    for (const shard of await entries(folder))
      for (const name of await entries(join(folder, shard))) {
        const path = join(folder, shard, name);
        const found = await fileOrNothing(path);
        if (found !== undefined) files.push({ path, sizeBytes: found.size, usedMs: found.mtimeMs });
      }
    sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const beforeMs = Date.now() - inUseMs;
    for (const file of files.toSorted((a, b) => a.usedMs - b.usedMs)) {
      const draft = !isDigest(file.path.slice(-64));
      if (file.usedMs > beforeMs || (sizeBytes <= maxBytes && !draft)) continue;
      await rm(file.path, { force: true });
      sizeBytes -= file.sizeBytes;
    }
  }

  return {
    find,
    async get(sha256, open) {
      const found = await find(sha256);
      if (found !== undefined) return found;
      let fetching = underWay.get(sha256);
      if (fetching === undefined) {
        fetching = fetch(sha256, open).finally(() => underWay.delete(sha256));
        underWay.set(sha256, fetching);
      }
      return await fetching;
    },
    remove: (sha256) => rm(pathOf(sha256), { force: true }),
  };
}
