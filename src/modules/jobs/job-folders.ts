import { existsSync, readdirSync } from 'node:fs';
import { readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job } from './job-types.ts';

/**
 * What jobs keep on disk, below one folder:
 *
 *   logs/<job>.log      the output of all attempts, one after another; kept for `jobLogDays`
 *   <job>-<fence>/      one attempt: record of the process, its copies, what it makes; gone once it is recorded
 *   <job>-<fence>.collected   what has become of its outputs, out of the attempt's own sight
 *
 * The fence names an attempt, since it rises with every claim.
 */
const journalEnding = '.collected';
export type AttemptName = Pick<Job, 'id' | 'fence'>;

export const attemptName = (job: AttemptName): string => `${job.id}-${job.fence}`;
export const attemptFolder = (root: string, job: AttemptName): string => join(root, attemptName(job));
export const journalFile = (root: string, job: AttemptName): string => `${attemptFolder(root, job)}${journalEnding}`;
export const logFolder = (root: string): string => join(root, 'logs');
export const logFile = (root: string, job: Pick<Job, 'id'>): string => join(logFolder(root), `${job.id}.log`);

/** Removes an attempt's folder; what cannot be removed is met again by the next sweep. */
export async function removeAttempt(root: string, job: AttemptName): Promise<void> {
  const folder = attemptFolder(root, job);
  if (existsSync(folder) && !(await removeSmall(folder))) await rm(folder, { recursive: true, force: true });
  await rm(journalFile(root, job), { force: true });
}

const smallEntries = 32;

/**
 * False for more than the few files of most attempts, which `rm` would take many more turns for. In the thread pool: a
 * disk takes a millisecond or two to forget a file, and the event loop is not to wait for it.
 */
async function removeSmall(folder: string): Promise<boolean> {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    if (entries.length > smallEntries) return false;
    const removed = await Promise.all(
      entries.map(async (entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return await removeSmall(path);
        await unlink(path);
        return true;
      }),
    );
    if (removed.includes(false)) return false;
    await rmdir(folder);
    return true;
  } catch {
    return false; // a process still writes there, or a folder is closed to us: the thorough way says so
  }
}

/** Removes the folders of attempts that an earlier process recorded, or gave up, and did not come to remove. */
export async function sweepAttempts(root: string, running: readonly AttemptName[]): Promise<void> {
  const kept = new Set(['logs', ...running.map(attemptName)]);
  for (const name of await readdir(root).catch(() => [] as string[]))
    if (!kept.has(name) && !kept.has(name.slice(0, -journalEnding.length)))
      await rm(join(root, name), { recursive: true, force: true });
}
