import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { blobErrors } from './blob-errors.ts';
import type { BlobInfo, ByteSource, Piece, PieceStore } from './blob-store.ts';
import { entries, hasCode, readFileRange, writeNewFile } from './local-files.ts';

const groupPattern = /^[A-Za-z0-9-]{1,64}$/;
const etagPattern = /^[0-9a-f]{8}-[0-9a-f]{16}$/;

/**
 * `<folder>/<group>/<number>-<etag>`. Pieces are not synced: the blob that they become is. So that a power cut cannot
 * put other bytes into it, the etag begins with the CRC-32 of the piece, which `join` finds again.
 */
export function createLocalPieces(
  folder: string,
  putStream: (source: ByteSource) => Promise<BlobInfo>,
  discarding: <T>(path: string, work: () => Promise<T>) => Promise<T>,
): PieceStore {
  const groupFolder = (group: string) => {
    if (!groupPattern.test(group)) throw new Error(`"${group}" is not the name of a group of pieces`);
    return join(folder, group);
  };

  async function* readPieces(group: string, pieces: readonly Piece[]): AsyncGenerator<Uint8Array> {
    for (const { number, etag, sizeBytes } of pieces) {
      if (!etagPattern.test(etag)) throw blobErrors.BLOB_PIECE_LOST(number);
      let [sum, size] = [0, 0];
      try {
        for await (const chunk of readFileRange(join(groupFolder(group), `${number}-${etag}`))) {
          sum = crc32(chunk as Uint8Array, sum);
          size += (chunk as Uint8Array).byteLength;
          yield chunk as Uint8Array;
        }
      } catch (error) {
        if (hasCode(error, 'ENOENT')) throw blobErrors.BLOB_PIECE_LOST(number);
        throw error;
      }
      if (size !== sizeBytes || toHex(sum) !== etag.slice(0, 8)) throw blobErrors.BLOB_PIECE_LOST(number);
    }
  }

  return {
    async put(group, number, source, expected = {}) {
      const parent = groupFolder(group);
      await mkdir(parent, { recursive: true });
      const version = randomBytes(8).toString('hex');
      const draft = join(parent, `${version}.draft`);
      return await discarding(draft, async () => {
        let sum = 0;
        const sizeBytes = await writeNewFile(draft, source, {
          maxBytes: expected.maxBytes ?? Number.POSITIVE_INFINITY,
          durable: false,
          hear: (chunk) => (sum = crc32(chunk, sum)),
        });
        const etag = `${toHex(sum)}-${version}`;
        await rename(draft, join(parent, `${number}-${etag}`));
        return { number, etag, sizeBytes };
      });
    },
    join: (group, pieces) => putStream(readPieces(group, pieces)),
    remove: (group) => rm(groupFolder(group), { recursive: true, force: true }),
    async *groups() {
      for (const name of await entries(folder)) if (groupPattern.test(name)) yield name;
    },
  };
}

const toHex = (sum: number): string => sum.toString(16).padStart(8, '0');
