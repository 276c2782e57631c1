import {
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  fsync,
  lstatSync,
  openSync,
  renameSync,
} from 'node:fs';
import { type FileHandle, lstat, open, readdir, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { blobErrors } from './blob-errors.ts';
import type { ByteSource } from './blob-store.ts';
import { createFileSink } from './file-sink.ts';

const readChunkBytes = 512 * 1024;
/** What is heard in one go holds the event loop for a fraction of a millisecond. */
const throughBytes = 256 * 1024;

export interface Writing {
  readonly maxBytes: number;
  readonly durable: boolean;
  /** Each chunk, on the way. */
  readonly hear: (chunk: Uint8Array) => void;
  /** Where in the file it begins. Default 0. */
  readonly at?: number;
}

/** Writes a new file, which nobody writes afterwards. */
export async function writeNewFile(path: string, source: ByteSource, options: Writing): Promise<number> {
  const file = await open(path, 'wx', 0o444);
  try {
    return await writeFrom(source, file, options);
  } finally {
    await file.close();
  }
}

/** Writes what comes; answers how many bytes that were. */
export async function writeFrom(source: ByteSource, file: FileHandle, options: Writing): Promise<number> {
  const sink = createFileSink(file, options);
  let sizeBytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > options.maxBytes) throw blobErrors.BLOB_TOO_LARGE(options.maxBytes);
      options.hear(chunk);
      await sink.write(chunk);
    }
    await sink.end();
  } finally {
    await sink.settle();
  }
  return sizeBytes;
}

/** A link is never followed: what lies outside the store is not read through it. `end` is exclusive. */
export function readFileRange(path: string, range?: { readonly start: number; readonly end: number }): Readable {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  // typed as text, taken as a number too
  const options = { flags: flags as unknown as string, highWaterMark: readChunkBytes };
  if (range === undefined) return createReadStream(path, options);
  // createReadStream's end is inclusive; an empty range has no such form, so it begins where nothing follows
  if (range.end === range.start) return createReadStream(path, { ...options, start: Number.MAX_SAFE_INTEGER - 1 });
  return createReadStream(path, { ...options, start: range.start, end: range.end - 1 });
}

/** A range read into one buffer again and again, which `hear` must not keep. Answers how many bytes there were. */
export async function readThrough(
  path: string,
  { start, end }: { readonly start: number; readonly end: number },
  hear: (chunk: Uint8Array) => void,
): Promise<number> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.allocUnsafeSlow(throughBytes);
    let at = start;
    while (at < end) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(throughBytes, end - at), at);
      if (bytesRead === 0) break;
      hear(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return at - start;
  } finally {
    await file.close();
  }
}

/** Across file systems a rename is refused; there the bytes are copied and the source removed. */
export async function moveFile(from: string, to: string): Promise<void> {
  const found = lstatSync(from);
  if (!found.isFile()) throw notAFile(from);
  try {
    if (found.nlink === 1) {
      renameSync(from, to);
      // Whoever still writes there may have put a link in its place; here it is out of reach.
      if (lstatSync(to).isFile()) return;
      throw notAFile(from);
    }
  } catch (error) {
    if (!hasCode(error, 'EXDEV')) throw error;
  }
  // a file with other names could be written through them, so it is copied too
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  await pipeline(source.createReadStream(), createWriteStream(to, { flags: 'wx' }));
  await unlink(from);
}

const notAFile = (path: string) => new Error(`${path} is no file, and only files become blobs`);

export const syncFile = promisify(fsync);

export async function syncPath(path: string): Promise<void> {
  const opened = openSync(path, 'r');
  try {
    await syncFile(opened);
  } finally {
    closeSync(opened);
  }
}

/** The names in a folder in order; none when there is no such folder. */
export async function entries(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Of a file itself: a link or a folder in its place counts as nothing. */
export async function fileOrNothing(path: string) {
  try {
    const found = await lstat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
