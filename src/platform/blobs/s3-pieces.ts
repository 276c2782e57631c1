import { createHash, randomBytes } from 'node:crypto';
import { blobErrors, checkPieceSize } from './blob-errors.ts';
import type { BlobInfo, ByteSource, Piece, PieceStore } from './blob-store.ts';
import { inParts } from './parts.ts';
import { leastPartBytes, mostCopyBytes, type S3Objects } from './s3-objects.ts';

const groupPattern = /^[A-Za-z0-9-]{1,64}$/;
const etagPattern = /^[0-9a-f]{32}$/;

/** `pieces/<group>/<number>-<etag>`. Joining reads them once, for the digest; the S3 server puts them together. */
export function createS3Pieces(deps: {
  readonly objects: S3Objects;
  readonly folder: string;
  readonly keyOf: (sha256: string) => string;
  readonly putStream: (source: ByteSource) => Promise<BlobInfo>;
  readonly refreshed: (sha256: string) => Promise<boolean>;
}): PieceStore {
  const { objects, folder } = deps;
  const groupFolder = (group: string): string => {
    if (!groupPattern.test(group)) throw new Error(`"${group}" is not the name of a group of pieces`);
    return `${folder}${group}/`;
  };

  async function* read(group: string, pieces: readonly Piece[]): AsyncGenerator<Uint8Array> {
    for (const { number, etag, sizeBytes } of pieces) {
      if (!etagPattern.test(etag)) throw blobErrors.BLOB_PIECE_LOST(number);
      let size = 0;
      if (sizeBytes > 0) {
        const body = await objects.open(`${groupFolder(group)}${number}-${etag}`);
        if (body === undefined || body === 'out-of-range') throw blobErrors.BLOB_PIECE_LOST(number);
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          size += chunk.byteLength;
          yield chunk;
        }
      }
      if (size !== sizeBytes) throw blobErrors.BLOB_PIECE_LOST(number);
    }
  }

  return {
    async put(group, number, source, { maxBytes = Number.POSITIVE_INFINITY, sizeBytes: announced } = {}) {
      const etag = randomBytes(16).toString('hex');
      const key = `${groupFolder(group)}${number}-${etag}`;
      const parts = inParts(source, { maxBytes: Math.min(maxBytes, announced ?? maxBytes) });
      const first = await parts.next();
      if (first.done === true || first.value.last) {
        const bytes = first.done === true ? Buffer.alloc(0) : first.value.bytes;
        checkPieceSize(number, announced, bytes.byteLength);
        await objects.putNew(key, bytes);
        return { number, etag, sizeBytes: bytes.byteLength };
      }
      const upload = await objects.beginUpload(key);
      try {
        let sizeBytes = first.value.bytes.byteLength;
        await upload.part(first.value.bytes);
        for await (const { bytes } of parts) {
          sizeBytes += bytes.byteLength;
          await upload.part(bytes);
        }
        checkPieceSize(number, announced, sizeBytes);
        await upload.complete();
        return { number, etag, sizeBytes };
      } catch (error) {
        await upload.abort();
        throw error;
      }
    },

    async join(group, pieces) {
      const copied = pieces.every(
        ({ sizeBytes }, index) =>
          sizeBytes <= mostCopyBytes && (sizeBytes >= leastPartBytes || index === pieces.length - 1),
      );
      // S3 puts no small parts together: those pass through us
      if (!copied || pieces.length === 0) return await deps.putStream(read(group, pieces));
      const hash = createHash('sha256');
      for await (const chunk of read(group, pieces)) hash.update(chunk);
      const sha256 = hash.digest('hex');
      if (!(await deps.refreshed(sha256)))
        await objects.assemble(
          deps.keyOf(sha256),
          pieces.map(({ number, etag }) => ({ key: `${groupFolder(group)}${number}-${etag}` })),
        );
      return { sha256, sizeBytes: pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
    },

    drop: (group, { number, etag }) => objects.remove(`${groupFolder(group)}${number}-${etag}`),

    async remove(group) {
      for await (const { key } of objects.list(groupFolder(group))) await objects.remove(key);
    },

    async *groups() {
      let last = '';
      for await (const { key } of objects.list(folder)) {
        const [group = ''] = key.slice(folder.length).split('/');
        if (group !== last && groupPattern.test(group)) yield group;
        last = group;
      }
    },
  };
}
