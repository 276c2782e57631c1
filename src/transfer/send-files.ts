import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { findMissingArtifacts } from '#contracts/artifacts';
import { importFiles } from '#contracts/transfer';
import type { Progress } from './progress.ts';
import type { SourceFile } from './source.ts';
import type { TidemillApi } from './target-api.ts';

const filesAtOnce = 200;
const bytesAtOnce = 256 * 1024 * 1024;
const uploadsAtOnce = 4;

/** A file and the place that it gets in the tree of artifacts. */
export interface FileToSend {
  readonly owner: string;
  readonly folder: string;
  readonly file: SourceFile;
}

/** What was found in the folder of one run or logged model. */
export interface FilesOfOwner {
  files: number;
  bytes: number;
  /** Of `filesDigest`: `<sha256> <path>` each. */
  readonly lines: string[];
}

interface Hashed {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  open(): Promise<Readable>;
  /** A copy of bytes of another machine, to be removed. */
  readonly copy?: string;
}

export const digestOfLines = (lines: readonly string[]): string =>
  createHash('sha256')
    .update(lines.toSorted((a, b) => (a < b ? -1 : 1)).join(''))
    .digest('hex');

/**
 * Sends files by digest: each batch is hashed, what the project lacks is uploaded, and all are named in its tree. Bytes
 * of another machine whose digest is known after they are read only pass through a temporary folder.
 */
export async function sendFiles(
  api: TidemillApi,
  wanted: AsyncIterable<FileToSend>,
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, FilesOfOwner>> {
  const found = new Map<string, FilesOfOwner>();
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-transfer-'));
  let batch: Hashed[] = [];
  let bytes = 0;

  async function flush(): Promise<void> {
    if (batch.length === 0) return;
    progress.sentBytes += await sendMissing(api, batch, signal);
    await api.call(importFiles, {
      body: { files: batch.map(({ path, sha256, sizeBytes }) => ({ path, sha256, sizeBytes })) },
    });
    progress.files += batch.length;
    for (const { copy } of batch) if (copy !== undefined) await rm(copy, { force: true });
    [batch, bytes] = [[], 0];
  }

  try {
    for await (const wish of wanted) {
      signal.throwIfAborted();
      const hashed = await hash(wish, folder);
      const own = found.get(wish.owner) ?? { files: 0, bytes: 0, lines: [] };
      own.files += 1;
      own.bytes += hashed.sizeBytes;
      own.lines.push(`${hashed.sha256} ${wish.file.path}\n`);
      found.set(wish.owner, own);
      progress.fileBytes += hashed.sizeBytes;
      batch.push(hashed);
      bytes += hashed.sizeBytes;
      if (batch.length >= filesAtOnce || bytes >= bytesAtOnce) await flush();
    }
    await flush();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return found;
}

/** Reads a file to its end, unless its digest is known; what is not on this machine is kept in `folder` on the way. */
async function hash({ folder: at, file }: FileToSend, folder: string): Promise<Hashed> {
  const path = `${at}/${file.path}`;
  const { sha256, sizeBytes } = file;
  if (sha256 !== undefined) return { path, sha256, sizeBytes, open: () => file.open() };
  const digest = createHash('sha256');
  let read = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      digest.update(chunk);
      read += chunk.length;
      yield chunk;
    }
  };
  const local = file.local ?? join(folder, randomUUID());
  const bytes = await file.open();
  if (file.local === undefined) await pipeline(bytes, count, createWriteStream(local));
  else for await (const _ of count(bytes as AsyncIterable<Buffer>)) continue;
  return {
    path,
    sha256: digest.digest('hex'),
    sizeBytes: read,
    open: async () => createReadStream(local),
    ...(file.local === undefined && { copy: local }),
  };
}

/** Uploads those of which the project has no bytes; returns how many bytes that were. The server checks each digest. */
export async function sendMissing(
  api: TidemillApi,
  files: readonly Pick<Hashed, 'sha256' | 'sizeBytes' | 'open'>[],
  signal: AbortSignal,
): Promise<number> {
  const byDigest = new Map(files.map((file) => [file.sha256, file]));
  const missing = new Set((await api.call(findMissingArtifacts, { body: { digests: [...byDigest.keys()] } })).missing);
  const uploads = [...byDigest.values()].filter(({ sha256 }) => missing.has(sha256));
  await inParallel(uploads, uploadsAtOnce, async ({ sha256, sizeBytes, open }) => {
    await api.request(`/api/v1/artifacts/${sha256}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) },
      body: Readable.toWeb(await open()) as unknown as ReadableStream,
      duplex: 'half',
      signal,
    });
  });
  return uploads.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

export async function inParallel<Item>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: Math.min(most, items.length) }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
