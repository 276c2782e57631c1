import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { OutputKind } from '#contracts/jobs';
import { encodeTree, type TreeFile } from '#contracts/tree';
import type { BlobStore } from '#platform/blobs';
import { outputPath, outputVariable } from './attempt-folder.ts';
import type { JobFile } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';

/**
 * Moves what an attempt left into the store. A file becomes a blob; a folder becomes one blob a file and a manifest.
 * @throws STEP_OUTPUT_MISSING, STEP_OUTPUT_KIND
 */
export async function collectOutputs(
  folder: string,
  outputs: readonly { readonly name: string; readonly kind: OutputKind }[],
  blobs: BlobStore,
): Promise<Readonly<Record<string, JobFile>>> {
  const collected = await Promise.all(
    outputs.map(async ({ name, kind }): Promise<[string, JobFile]> => {
      const path = outputPath(folder, name);
      const found = await lstat(path).catch(() => undefined);
      if (found === undefined) throw jobsErrors.STEP_OUTPUT_MISSING(name, outputVariable(name));
      if (kind === 'dir' ? !found.isDirectory() : !found.isFile())
        throw jobsErrors.STEP_OUTPUT_KIND(name, kind === 'dir' ? 'folder' : 'file', describe(found));
      return [
        name,
        kind === 'dir' ? await storeTree(path, blobs) : { ...(await blobs.putFile(path, { move: true })), kind },
      ];
    }),
  );
  return Object.fromEntries(collected);
}

/** A folder's files, moved into the store, as one output of kind `dir`. */
export async function storeTree(folder: string, blobs: BlobStore): Promise<JobFile> {
  const tree = await storeFolder(folder, '', blobs);
  return { ...(await blobs.putStream(Readable.from([Buffer.from(encodeTree(tree))]))), kind: 'dir', tree };
}

async function storeFolder(folder: string, prefix: string, blobs: BlobStore): Promise<readonly TreeFile[]> {
  const files: TreeFile[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) files.push(...(await storeFolder(join(folder, entry.name), `${path}/`, blobs)));
    else if (entry.isFile()) files.push({ path, ...(await blobs.putFile(join(folder, entry.name), { move: true })) });
  }
  return files;
}

function describe(found: { isDirectory(): boolean; isFile(): boolean }): string {
  return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'link or device';
}
