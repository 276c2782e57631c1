import type { Tensor, TensorData } from './tensor.ts';

/**
 * The bytes of tensors as the binary extension of the Open Inference Protocol, its gRPC `raw_input_contents` and our spool
 * write them: little-endian, row-major; BOOL one byte an element; BYTES each element as u32 length and UTF-8.
 */
if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) throw new Error('tensors need a little-endian machine');

export function isText(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}

/** How many bytes `writeTensorData` takes. */
export function tensorByteLength({ data }: Tensor): number {
  if (!isText(data)) return data.byteLength;
  let total = data.length * 4;
  for (const text of data) total += Buffer.byteLength(text);
  return total;
}

/** Writes the data at a position and returns the one after it. */
export function writeTensorData(target: Buffer, position: number, data: TensorData): number {
  if (!isText(data)) {
    target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    return position + data.byteLength;
  }
  let at = position;
  for (const text of data) {
    const written = target.write(text, at + 4, 'utf8');
    target.writeUInt32LE(written, at);
    at += 4 + written;
  }
  return at;
}
