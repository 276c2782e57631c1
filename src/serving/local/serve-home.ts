import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquireLockFile } from '#platform/lock-file';
import { servingErrors } from '../serving-errors.ts';

/** Where a process writes that serves models by itself; its own as long as it runs. */
export interface ServeHome {
  readonly path: string;
  close(): Promise<void>;
}

const lockName = 'serve.lock';
/** Of this host alone: of a process elsewhere that shares the folder, or in another container, nobody knows whether it lives. */
const prefix = `tidemill-serve-${hostname()}-`;

/**
 * Takes the folder that is named, LOCAL_HOME_IN_USE when another process has it. Without one it is a temporary folder, which
 * is gone afterwards; those that killed processes have left are removed.
 */
export async function openServeHome(named: string | undefined): Promise<ServeHome> {
  if (named === undefined) await removeLeftOvers();
  else await mkdir(named, { recursive: true });
  const path = named ?? (await mkdtemp(join(tmpdir(), prefix)));
  const lock = acquireLockFile(join(path, lockName), (holder) => servingErrors.LOCAL_HOME_IN_USE(path, holder));
  return {
    path,
    async close() {
      if (named === undefined) await rm(path, { recursive: true, force: true });
      else lock.release();
    },
  };
}

async function removeLeftOvers(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    const path = join(tmpdir(), name);
    if (!existsSync(join(path, lockName))) continue; // it is being made
    try {
      acquireLockFile(join(path, lockName), (holder) => servingErrors.LOCAL_HOME_IN_USE(path, holder));
      await rm(path, { recursive: true, force: true });
    } catch {
      // it is in use, or another user's
    }
  }
}
