import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TreeFile } from '#contracts/tree';

interface Known {
  readonly mtimeMs: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Digests of files, kept by path, time and size, so that what has not changed is not read again. */
export interface DigestCache {
  digest(path: string): Promise<TreeFile>;
  save(): Promise<void>;
}

export async function openDigestCache(folder: string, file: string): Promise<DigestCache> {
  const known = new Map<string, Known>(Object.entries(await read(file)));
  let changed = false;
  let saving = Promise.resolve(); // one at a time: callers may save at once
  return {
    async digest(path) {
      const { mtimeMs, size, mode } = await stat(join(folder, path));
      const found = known.get(path);
      const executable = (mode & 0o111) !== 0;
      if (found?.mtimeMs === mtimeMs && found.sizeBytes === size)
        return { path, sha256: found.sha256, sizeBytes: size, ...(executable && { executable }) };
      const sha256 = await digestFile(join(folder, path));
      known.set(path, { mtimeMs, sizeBytes: size, sha256 });
      changed = true;
      return { path, sha256, sizeBytes: size, ...(executable && { executable }) };
    },
    save() {
      saving = saving.then(() => write());
      return saving;
    },
  };

  async function write(): Promise<void> {
    if (!changed) return;
    changed = false;
    await mkdir(dirname(file), { recursive: true });
    const draft = `${file}.${randomUUID()}`; // other commands may save at the same moment
    await writeFile(draft, JSON.stringify(Object.fromEntries(known)));
    await rename(draft, file);
  }
}

async function read(file: string): Promise<Record<string, Known>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, Known>;
  } catch {
    return {}; // none yet, or not ours: everything is read anew
  }
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
