import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const syncEveryBytes = 64 * 1024 * 1024;

export interface BackgroundSync {
  /** So much more was written: the disk begins with it when it is much, and the caller does not wait. */
  wrote(sizeBytes: number): void;
  /** Whether one failed: the system tells that once, and a later sync would know nothing of it. */
  hasFailed(): boolean;
}

/** Has a file that grows written out on the way, so that the sync at the end finds little left to do. */
export function createBackgroundSync(path: () => string): BackgroundSync {
  let unsyncedBytes = 0;
  let syncing = false;
  let failed = false;

  async function sync(): Promise<void> {
    const file = await open(path(), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  return {
    wrote(sizeBytes) {
      unsyncedBytes += sizeBytes;
      if (syncing || unsyncedBytes < syncEveryBytes) return;
      unsyncedBytes = 0;
      syncing = true;
      sync()
        .catch(() => (failed = true))
        .finally(() => (syncing = false));
    },
    hasFailed: () => failed,
  };
}
