import { createHash } from 'node:crypto';
import type { BytesElement, Tensor } from '#contracts/tensor';

/** Answers of one endpoint by what was asked, the longest unused out first. */
export interface ResponseCache {
  find(key: string): readonly Tensor[] | undefined;
  /** Keeps a copy, so that the batch which it came from can be freed. */
  keep(key: string, outputs: readonly Tensor[]): void;
  readonly bytes: number;
}

/** Of an entry beside its data and texts: the key, the map, the objects. */
const entryBytes = 500;

export function createResponseCache(maxBytes: () => number): ResponseCache {
  const entries = new Map<string, { readonly outputs: readonly Tensor[]; readonly bytes: number }>();
  let bytes = 0;

  function remove(key: string): void {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  }

  return {
    get bytes() {
      return bytes;
    },
    find(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key); // the last in the map is the one that was used last
      entries.set(key, entry);
      return entry.outputs;
    },
    keep(key, outputs) {
      remove(key);
      const limit = maxBytes();
      const size = entryBytes + outputs.reduce((sum, { data }) => sum + bytesOf(data), 0);
      if (size > limit) return;
      entries.set(key, { outputs: outputs.map(copyOf), bytes: size });
      bytes += size;
      for (const oldest of entries.keys()) {
        if (bytes <= limit) return;
        remove(oldest);
      }
    },
  };
}

function bytesOf(data: Tensor['data']): number {
  return ArrayBuffer.isView(data) ? data.byteLength : data.reduce((sum, element) => sum + 2 * element.length + 24, 0);
}

function copyOf(tensor: Tensor): Tensor {
  const { data } = tensor;
  return { ...tensor, data: ArrayBuffer.isView(data) ? (data as Float64Array).slice() : [...data] };
}

/**
 * What an answer is a function of: the revision, which names its model's bytes for ever, the checked inputs in the order
 * of the signature, and the parameters where the model reads them. SHA-256: two questions never share an answer.
 */
export function cacheKey(
  revision: string,
  inputs: readonly Tensor[],
  parameters: Readonly<Record<string, unknown>> | undefined,
): string {
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([revision, inputs.map(({ shape }) => shape), parameters], (_name, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    ),
  );
  for (const { data } of inputs)
    hash.update(
      ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : printed(data),
    );
  return hash.digest('base64');
}

/** No two lists print alike: an element that is no text is a list of its bytes. */
const printed = (data: readonly BytesElement[]): string =>
  JSON.stringify(data.map((element) => (typeof element === 'string' ? element : [...element])));
