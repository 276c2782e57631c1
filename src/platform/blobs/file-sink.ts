import type { FileHandle } from 'node:fs/promises';

/** Beyond this the sender waits for the disk: what one upload takes of memory. */
const mostWaitingBytes = 4 * 1024 * 1024;
/** The disk begins to write while more comes in, so that the sync at the end finds little left to do. */
const syncEveryBytes = 32 * 1024 * 1024;

export interface FileSink {
  /** Resolves when the next chunk is welcome; the chunk must not change any more. */
  write(chunk: Uint8Array): Promise<void>;
  /** Everything is in the file, and durable when the sink is. */
  end(): Promise<void>;
  /** Nothing uses the file any more; for a sink that is given up. */
  settle(): Promise<void>;
}

/** Writes while the caller receives and hashes: one write is under way, what arrives meanwhile goes out with the next. */
export function createFileSink(
  file: FileHandle,
  { durable, at = 0 }: { readonly durable: boolean; readonly at?: number | undefined },
): FileSink {
  let position = at;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let unsyncedBytes = 0;
  let writing: Promise<void> | undefined;
  let syncing: Promise<void> | undefined;
  let failure: unknown;

  const keep = (error: unknown): void => void (failure ??= error);

  async function writeWaiting(): Promise<void> {
    try {
      while (waiting.length > 0) {
        const batch = waiting;
        const batchAt = position;
        unsyncedBytes += waitingBytes;
        position += waitingBytes;
        [waiting, waitingBytes] = [[], 0];
        await writeAll(file, batch, batchAt);
        if (durable && unsyncedBytes >= syncEveryBytes && syncing === undefined) {
          unsyncedBytes = 0;
          syncing = file
            .datasync()
            .catch(keep)
            .finally(() => (syncing = undefined));
        }
      }
    } catch (error) {
      keep(error);
    } finally {
      writing = undefined; // in the same turn in which nothing more waits: what comes next begins anew
    }
  }

  const throwFailure = (): void => {
    if (failure !== undefined) throw failure;
  };

  const settle = async (): Promise<void> => {
    await writing;
    await syncing;
  };

  return {
    async write(chunk) {
      throwFailure();
      waiting.push(chunk);
      waitingBytes += chunk.byteLength;
      writing ??= writeWaiting();
      if (waitingBytes >= mostWaitingBytes) await writing;
    },
    async end() {
      await settle();
      throwFailure();
      if (durable) await file.datasync();
    },
    settle,
  };
}

/** `writev` may write less than it was given. */
async function writeAll(file: FileHandle, batch: readonly Uint8Array[], position: number): Promise<void> {
  const { bytesWritten } = await file.writev(batch, position);
  const sizeBytes = batch.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (bytesWritten < sizeBytes)
    await writeWhole(file, Buffer.concat(batch).subarray(bytesWritten), position + bytesWritten);
}

export async function writeWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; )
    at += (await file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
}
