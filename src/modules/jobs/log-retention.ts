import { type Dirent, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from '#platform/database';
import { logFolder } from './job-folders.ts';
import { listOpenIds } from './jobs-store.ts';

/** Looked at together: bounds what one look into the database asks for. */
const atOnce = 500;

/**
 * Removes the logs that nothing was written to since an instant; the log of a job that has not ended stays, however
 * silent it is. Answers how many went.
 */
export async function removeOldLogs(
  deps: { readonly database: Pick<Database, 'read'>; readonly folder: string },
  beforeMs: number,
): Promise<number> {
  const folder = logFolder(deps.folder);
  const old = (await readdir(folder, { withFileTypes: true })).filter((entry) => isOld(folder, entry, beforeMs));
  let removed = 0;
  for (let at = 0; at < old.length; at += atOnce) {
    const batch = old.slice(at, at + atOnce).map(({ name }) => ({ name, jobId: name.slice(0, -logEnding.length) }));
    const open = await listOpenIds(
      deps.database.read,
      batch.map(({ jobId }) => jobId),
    );
    for (const { name, jobId } of batch) {
      if (open.has(jobId)) continue;
      await rm(join(folder, name), { force: true });
      removed += 1;
    }
  }
  return removed;
}

const logEnding = '.log';

function isOld(folder: string, entry: Dirent, beforeMs: number): boolean {
  if (!entry.isFile() || !entry.name.endsWith(logEnding)) return false;
  const found = statSync(join(folder, entry.name), { throwIfNoEntry: false });
  return found !== undefined && found.mtimeMs < beforeMs;
}
