import type { BytesElement, Tensor, TensorData } from './tensor.ts';

/**
 * The bytes of tensors as the binary extension of the Open Inference Protocol, its gRPC `raw_input_contents` and our spool
 * write them: little-endian, row-major; BOOL one byte an element; BYTES each element as u32 length and its bytes.
 */
if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) throw new Error('tensors need a little-endian machine');

export function isText(data: TensorData): data is readonly BytesElement[] {
  return Array.isArray(data);
}

/** The element that lies between two places: its text, or a copy of the bytes where they are none. */
export function readElement(bytes: Buffer, from: number, to: number): BytesElement {
  const text = bytes.toString('utf8', from, to);
  // what is no UTF-8 reads as U+FFFD, which is written as other bytes: mostly as more of them
  if (!text.includes('\uFFFD')) return text;
  const part = bytes.subarray(from, to);
  const isSame = Buffer.byteLength(text) === part.length && Buffer.from(text).equals(part);
  return isSame ? text : Uint8Array.from(part);
}

export const elementBytes = (element: BytesElement): number =>
  typeof element === 'string' ? Buffer.byteLength(element) : element.length;

/** Writes the bytes of one element and returns how many they are. */
export function writeElement(target: Buffer, position: number, element: BytesElement): number {
  if (typeof element === 'string') return target.write(element, position, 'utf8');
  target.set(element, position);
  return element.length;
}

/** How many bytes `writeTensorData` takes. */
export function tensorByteLength({ data }: Pick<Tensor, 'data'>): number {
  if (!isText(data)) return data.byteLength;
  let total = data.length * 4;
  for (const element of data) total += elementBytes(element);
  return total;
}

/** Writes the data at a position and returns the one after it. */
export function writeTensorData(target: Buffer, position: number, data: TensorData): number {
  if (!isText(data)) {
    target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    return position + data.byteLength;
  }
  let at = position;
  for (const element of data) {
    const written = writeElement(target, at + 4, element);
    target.writeUInt32LE(written, at);
    at += 4 + written;
  }
  return at;
}
