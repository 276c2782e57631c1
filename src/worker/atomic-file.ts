import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface WrittenFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Where a file is written before it gets its name: beside it, so that the rename stays on one file system. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

/**
 * Makes a file whole or not at all: `write` fills a file beside it, which is fsynced and renamed. What `write` left is
 * removed when it fails.
 */
export async function writeAtomically<T>(
  path: string,
  temporary: string,
  write: (temporary: string) => Promise<T>,
): Promise<{ readonly file: WrittenFile; readonly result: T }> {
  await mkdir(dirname(path), { recursive: true });
  try {
    const result = await write(temporary);
    const handle = await open(temporary, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    const { size } = await stat(temporary);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return { file: { path, sizeBytes: size }, result };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** So that the rename itself survives a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
