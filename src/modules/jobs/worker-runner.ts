import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStore } from '#platform/blobs';
import { isAppError } from '#platform/errors';
import { storeTree } from './collect-outputs.ts';
import type { AttemptOutcome, JobFile, Json, WorkerWork } from './job-types.ts';
import type { WorkerPool } from './worker-pool.ts';

const outputs = /^out:(.+)$/;
const blob = /^blob:([0-9a-f]{64})$/;

/**
 * Runs one worker task: `blob:<sha256>` anywhere in its input becomes a local path, `out:<name>` a path in a private
 * folder whose files are moved into the store afterwards.
 */
export async function runWorkerTask(
  work: WorkerWork,
  folder: string,
  deps: { readonly pool: WorkerPool; readonly blobs: BlobStore },
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const made = new Map<string, string>();
  try {
    const input = await resolvePaths(work.input, folder, deps.blobs, made);
    if (made.size > 0) await mkdir(folder, { recursive: true });
    const output: Json = await deps.pool.run(work.task, input, signal);
    const files: Record<string, JobFile> = {};
    for (const [name, path] of made)
      files[name] = (await stat(path)).isDirectory()
        ? await storeTree(path, deps.blobs)
        : { ...(await deps.blobs.putFile(path, { move: true })), kind: 'file' };
    return { kind: 'succeeded', result: { output, files } };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (isAppError(error, 'WORKER_DIED') || isAppError(error, 'WORKER_STOPPED'))
      return { kind: 'lost', code: error.code, message: error.message };
    if (isAppError(error)) return { kind: 'failed', code: error.code, message: error.message };
    throw error;
  } finally {
    if (made.size > 0) await rm(folder, { recursive: true, force: true });
  }
}

/** The same for tasks that leave no files. */
export async function resolveBlobPaths(input: Json, blobs: BlobStore): Promise<Json> {
  return resolvePaths(input, '', blobs, new Map());
}

async function resolvePaths(value: Json, folder: string, blobs: BlobStore, made: Map<string, string>): Promise<Json> {
  if (typeof value === 'string') {
    const sha256 = blob.exec(value)?.[1];
    if (sha256 !== undefined) return blobs.localPath(sha256);
    const name = outputs.exec(value)?.[1];
    if (name === undefined) return value;
    const path = join(folder, name);
    made.set(name, path);
    return path;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Promise.all(value.map((item: Json) => resolvePaths(item, folder, blobs, made)));
  const entries = Object.entries(value).map(
    async ([key, item]) => [key, await resolvePaths(item, folder, blobs, made)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}
