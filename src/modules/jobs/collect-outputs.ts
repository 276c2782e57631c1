import { appendFileSync, existsSync, lstatSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { OutputKind } from '#contracts/jobs';
import { encodeTree, type TreeFile } from '#contracts/tree';
import type { BlobInfo, BlobStore } from '#platform/blobs';
import { outputPath, outputVariable } from './attempt-folder.ts';
import { notParquet } from './check-parquet.ts';
import { hasValue, type JobFile, type Json, valueLimitBytes } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';

/**
 * Moves what an attempt left into the store. A file becomes a blob; a folder becomes one blob a file and a manifest.
 * A journal beside the outputs says of each file that it is about to be moved, then what it became: a server that is
 * killed in between finds the rest when it comes back. Whoever was killed inside the one move has lost that file, and
 * with it the attempt.
 * @throws STEP_OUTPUT_MISSING, STEP_OUTPUT_KIND, STEP_OUTPUT_NOT_PARQUET, STEP_OUTPUT_LINK, ATTEMPT_LOST
 */
export async function collectOutputs(
  folder: string,
  journalPath: string,
  outputs: readonly { readonly name: string; readonly kind: OutputKind }[],
  blobs: BlobStore,
): Promise<Readonly<Record<string, JobFile>>> {
  const journal = openJournal(journalPath);
  const collected = await Promise.all(
    outputs.map(async ({ name, kind }): Promise<[string, JobFile]> => {
      const path = outputPath(folder, name);
      const known = journal.stored.get(name);
      if (known !== undefined) return [name, await withValue({ ...known, kind }, blobs)];
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined && journal.begun.has(name)) throw jobsErrors.ATTEMPT_LOST();
      if (found === undefined) throw jobsErrors.STEP_OUTPUT_MISSING(name, outputVariable(name));
      if (kind === 'dir' ? !found.isDirectory() : !found.isFile())
        throw jobsErrors.STEP_OUTPUT_KIND(name, kind === 'dir' ? 'folder' : 'file', describe(found));
      const instead = kind === 'dataset' ? await notParquet(path) : undefined;
      if (instead !== undefined) throw jobsErrors.STEP_OUTPUT_NOT_PARQUET(name, instead);
      if (kind !== 'dir') return [name, await withValue({ ...(await keep(path, name)), kind }, blobs)];
      return [name, await storeFolder(path, name, blobs, keep)];
    }),
  );
  return Object.fromEntries(collected);

  async function keep(path: string, name: string): Promise<BlobInfo> {
    journal.begin(name);
    const info = await blobs.putFile(path, { move: true });
    journal.end(name, info);
    return info;
  }

  async function storeFolder(
    path: string,
    name: string,
    store: BlobStore,
    put: (path: string, name: string) => Promise<BlobInfo>,
  ): Promise<JobFile> {
    const present = await listFiles(path, name, '');
    const files: TreeFile[] = [];
    for (const [key, info] of journal.stored) // by an earlier server
      if (key.startsWith(`${name}/`)) files.push({ path: key.slice(name.length + 1), ...info });
    for (const key of journal.begun)
      if (key.startsWith(`${name}/`) && !journal.stored.has(key) && !present.includes(key.slice(name.length + 1)))
        throw jobsErrors.ATTEMPT_LOST();
    for (const file of present) files.push({ path: file, ...(await put(join(path, file), `${name}/${file}`)) });
    return await storeManifest(files, store);
  }
}

/** With what a small file says, for whoever decides by it inside a unit, where no file is read. What is no JSON says nothing. */
async function withValue(file: JobFile, blobs: Pick<BlobStore, 'readAll'>): Promise<JobFile> {
  if (!hasValue(file.kind) || file.sizeBytes > valueLimitBytes) return file;
  try {
    return { ...file, value: JSON.parse((await blobs.readAll(file.sha256)).toString('utf8')) as Json };
  } catch (error) {
    if (error instanceof SyntaxError) return file;
    throw error;
  }
}

/** A folder's files, moved into the store, as one output of kind `dir`. */
export async function storeTree(folder: string, blobs: BlobStore): Promise<JobFile> {
  const files: TreeFile[] = [];
  for (const path of await listFiles(folder, '', ''))
    files.push({ path, ...(await blobs.putFile(join(folder, path), { move: true })) });
  return await storeManifest(files, blobs);
}

async function storeManifest(files: readonly TreeFile[], blobs: BlobStore): Promise<JobFile> {
  const tree = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { ...(await blobs.putStream(Readable.from([Buffer.from(encodeTree(tree))]))), kind: 'dir', tree };
}

async function listFiles(folder: string, output: string, prefix: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) files.push(...(await listFiles(join(folder, entry.name), output, `${path}/`)));
    else if (entry.isFile()) files.push(path);
    else throw jobsErrors.STEP_OUTPUT_LINK(output, path);
  }
  return files;
}

/** JSON lines, written synchronously: a few bytes cost less than a trip through the thread pool. */
function openJournal(path: string) {
  const begun = new Set<string>();
  const stored = new Map<string, BlobInfo>();
  if (existsSync(path))
    for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
      const { name, info } = JSON.parse(line) as { readonly name: string; readonly info?: BlobInfo };
      begun.add(name);
      if (info !== undefined) stored.set(name, info);
    }
  return {
    /** Of an earlier server. */
    begun: begun as ReadonlySet<string>,
    stored: stored as ReadonlyMap<string, BlobInfo>,
    begin: (name: string) => appendFileSync(path, `${JSON.stringify({ name })}\n`),
    end: (name: string, info: BlobInfo) => appendFileSync(path, `${JSON.stringify({ name, info })}\n`),
  };
}

function describe(found: { isDirectory(): boolean; isFile(): boolean }): string {
  return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'link or device';
}
