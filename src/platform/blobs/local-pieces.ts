import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobInfo, ByteSource, Piece, PieceStore } from './blob-store.ts';
import { entries } from './local-files.ts';
import { openPieceGroup, type PieceGroup } from './piece-group.ts';

const groupPattern = /^[A-Za-z0-9-]{1,64}$/;

/**
 * `<folder>/<group>/` as in piece-places.ts. Pieces are not synced: the blob that they become is. So that a power cut
 * cannot put other bytes into it, the etag begins with the CRC-32 of the piece, which `join` finds again.
 */
export function createLocalPieces(
  folder: string,
  blobs: {
    readonly putStream: (source: ByteSource) => Promise<BlobInfo>;
    /** Makes a file a blob by another name for it; false where there are no such names. The file stays. */
    readonly adopt: (path: string, sha256: string) => Promise<boolean>;
    /** What a failure is called outside. */
    readonly explain: (error: unknown) => unknown;
  },
): PieceStore {
  const groups = new Map<string, Promise<PieceGroup>>();
  /** One join of a group after the other: they move pieces. */
  const joining = new Map<string, Promise<unknown>>();

  const folderOf = (group: string): string => {
    if (!groupPattern.test(group)) throw new Error(`"${group}" is not the name of a group of pieces`);
    return join(folder, group);
  };

  async function explaining<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw blobs.explain(error);
    }
  }

  async function groupOf(group: string): Promise<PieceGroup> {
    const path = folderOf(group);
    let opening = groups.get(group);
    if (opening === undefined) {
      opening = openPieceGroup(path);
      groups.set(group, opening);
      opening.catch(() => groups.delete(group));
    }
    return await opening;
  }

  async function joinPieces(group: PieceGroup, pieces: readonly Piece[]): Promise<BlobInfo> {
    const whole = await group.gather(pieces);
    if (whole !== undefined) {
      const sha256 = await group.hash.finish(pieces);
      const adopted = await blobs.adopt(whole, sha256).catch((error: unknown) => {
        group.distrust();
        throw error;
      });
      if (adopted) return { sha256, sizeBytes: pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
    }
    return await blobs.putStream(readAll(group, pieces));
  }

  return {
    async put(group, number, source, expected = {}) {
      const opened = await groupOf(group);
      return await explaining(() => opened.put(number, source, expected));
    },
    async join(group, pieces) {
      const opened = await groupOf(group);
      const before = joining.get(group) ?? Promise.resolve();
      const own = before.catch(() => undefined).then(() => explaining(() => joinPieces(opened, pieces)));
      joining.set(group, own);
      try {
        return await own;
      } finally {
        if (joining.get(group) === own) joining.delete(group);
      }
    },
    async drop(group, piece) {
      await (await groups.get(group))?.drop(piece); // a group that nothing was put to is not in use
    },
    async remove(group) {
      const path = folderOf(group);
      groups.delete(group);
      await rm(path, { recursive: true, force: true });
    },
    async *groups() {
      for (const name of await entries(folder)) if (groupPattern.test(name)) yield name;
    },
  };
}

async function* readAll(group: PieceGroup, pieces: readonly Piece[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield* group.read(piece);
}
