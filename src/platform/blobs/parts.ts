import { blobErrors } from './blob-errors.ts';
import type { ByteSource } from './blob-store.ts';

const partBytes = 8 * 1024 * 1024;
/** S3 takes 10,000 parts: the later ones are larger, so that 500 GB and more have room. */
const partBytesAt = (number: number): number => partBytes * 2 ** Math.floor(number / 2_500);

/** Bytes gathered into parts for S3; the last one is said to be, and is smaller, even empty. */
export async function* inParts(
  source: ByteSource,
  options: { readonly maxBytes?: number | undefined; readonly hear?: (chunk: Uint8Array) => void },
): AsyncGenerator<{ readonly bytes: Buffer; readonly last: boolean }> {
  const { maxBytes = Number.POSITIVE_INFINITY, hear } = options;
  let [gathered, gatheredBytes, sizeBytes, number] = [[] as Uint8Array[], 0, 0, 0];
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) throw blobErrors.BLOB_TOO_LARGE(maxBytes);
    hear?.(chunk);
    gathered.push(chunk);
    gatheredBytes += chunk.byteLength;
    if (gatheredBytes < partBytesAt(number)) continue;
    yield { bytes: Buffer.concat(gathered), last: false };
    [gathered, gatheredBytes] = [[], 0];
    number += 1;
  }
  if (gatheredBytes > 0 || number === 0) yield { bytes: Buffer.concat(gathered), last: true };
}
