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

interface Hashed extends FileToSend {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Where the bytes lie on this machine now. */
  readonly local: string;
}

export const digestOfLines = (lines: readonly string[]): string =>
  createHash('sha256')
    .update(lines.toSorted((a, b) => (a < b ? -1 : 1)).join(''))
    .digest('hex');

/**
 * Sends files by digest: each batch is hashed, what the project lacks is uploaded, and all are named in its tree. Bytes
 * of another machine pass through a temporary folder, since their digest is known after they are read only.
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
    const digests = [...new Set(batch.map(({ sha256 }) => sha256))];
    const missing = new Set((await api.call(findMissingArtifacts, { body: { digests } })).missing);
    const uploads = [...new Map(batch.map((file) => [file.sha256, file])).values()].filter(({ sha256 }) =>
      missing.has(sha256),
    );
    await inParallel(uploads, uploadsAtOnce, async (file) => {
      await upload(api, file, signal);
      progress.sentBytes += file.sizeBytes;
    });
    await api.call(importFiles, {
      body: {
        files: batch.map(({ folder: at, file, sha256, sizeBytes }) => ({
          path: `${at}/${file.path}`,
          sha256,
          sizeBytes,
        })),
      },
    });
    progress.files += batch.length;
    for (const { file, local } of batch) if (file.local === undefined) await rm(local, { force: true });
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

/** Reads a file to its end; what is not on this machine is kept in `folder` on the way. */
async function hash(wish: FileToSend, folder: string): Promise<Hashed> {
  const digest = createHash('sha256');
  let sizeBytes = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      digest.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  };
  const local = wish.file.local ?? join(folder, randomUUID());
  const bytes = await wish.file.open();
  if (wish.file.local === undefined) await pipeline(bytes, count, createWriteStream(local));
  else for await (const _ of count(bytes as AsyncIterable<Buffer>)) continue;
  return { ...wish, sha256: digest.digest('hex'), sizeBytes, local };
}

async function upload(api: TidemillApi, { sha256, local, sizeBytes }: Hashed, signal: AbortSignal): Promise<void> {
  await api.request(`/api/v1/artifacts/${sha256}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) },
    body: Readable.toWeb(createReadStream(local)) as unknown as ReadableStream,
    duplex: 'half',
    signal,
  });
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
