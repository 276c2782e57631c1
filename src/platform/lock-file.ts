import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AppError } from './errors.ts';
import { isAlive, startTimeOf } from './processes/process-identity.ts';

/**
 * A file that says which process owns something. It names the pid and when that process started, so that a lock left
 * by a crash is told from one whose number was given to another process, and is taken over.
 *
 *   absent --link--> ours            (atomic: link fails when the file exists)
 *   stale  --rename away, check that it was the stale one--> absent
 */
interface LockContent {
  readonly pid: number;
  /** As the operating system names it; compared, never read. */
  readonly startedAt: string;
  /** Tells two locks of one process apart. */
  readonly token: string;
}

export interface LockFile {
  /** Gives the lock up; a second call does nothing. */
  release(): void;
}

/** Takes the lock at `path`, or throws the error that `refuse` makes of a description of its holder. */
export function acquireLockFile(path: string, refuse: (holder: string) => AppError): LockFile {
  const startedAt = startTimeOf(process.pid) ?? 'unknown';
  const own: LockContent = { pid: process.pid, startedAt, token: randomUUID() };
  const draft = `${path}.${own.token}`;
  writeFileSync(draft, `${JSON.stringify(own)}\n`);
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (tryLink(draft, path)) return { release: () => release(path, own) };
      const text = readIfThere(path);
      if (text === undefined) continue;
      const held = parseLock(text);
      if (held !== undefined && isAlive(held.pid, held.startedAt))
        throw refuse(`process ${held.pid}, since ${sinceOf(path)}`);
      takeAway(path, text, `${draft}.stale`);
    }
    throw refuse('another process that starts at this moment');
  } finally {
    rmSync(draft, { force: true });
  }
}

/** When the lock was taken: its file is written once. */
function sinceOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? 'this moment';
}

function release(path: string, own: LockContent): void {
  if (parseLock(readIfThere(path) ?? '')?.token === own.token) rmSync(path, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Removes a stale lock, unless someone else has replaced it meanwhile: then theirs is put back. */
function takeAway(path: string, staleText: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  if (readIfThere(aside) !== staleText) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function parseLock(text: string): LockContent | undefined {
  const match = /^\{"pid":(\d+),"startedAt":"([^"]*)","token":"([^"]*)"\}\s*$/.exec(text);
  if (match === null) return undefined;
  return { pid: Number(match[1]), startedAt: match[2] ?? '', token: match[3] ?? '' };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
