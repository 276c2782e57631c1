import {
  type BytesElement,
  type Datatype,
  elementCount,
  elementWidths,
  type TensorData,
  viewOf,
} from '#contracts/tensor';
import { readElement } from '#contracts/tensor-bytes';
import { servingErrors } from './serving-errors.ts';

/**
 * Reads the raw bytes of one input (`contracts/tensor-bytes.ts` has their form), which must be exactly those that its
 * shape and datatype take. Numbers are a view of the bytes where these are aligned, else a copy. REQUEST_MALFORMED.
 */
export function readRawTensor(name: string, datatype: Datatype, shape: readonly number[], bytes: Buffer): TensorData {
  const count = elementCount(shape);
  if (count === undefined)
    throw servingErrors.REQUEST_MALFORMED(
      `input "${name}" has shape [${shape.join(', ')}], which holds more values than the body`,
    );
  if (datatype === 'BYTES') return readElements(name, shape, count, bytes);
  const width = elementWidths[datatype];
  if (bytes.length !== count * width)
    throw servingErrors.REQUEST_MALFORMED(
      `input "${name}" has ${bytes.length} bytes; its shape [${shape.join(', ')}] of ${datatype} takes ${count * width}`,
    );
  if (datatype === 'BOOL') {
    const other = bytes.findIndex((byte) => byte > 1);
    if (other !== -1)
      throw servingErrors.REQUEST_MALFORMED(`input "${name}" has a BOOL of ${bytes[other]}; a byte is 0 or 1`);
  }
  if (bytes.byteOffset % width === 0) return viewOf(datatype, bytes.buffer, bytes.byteOffset, count);
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return viewOf(datatype, copy.buffer, 0, count);
}

function readElements(name: string, shape: readonly number[], count: number, bytes: Buffer): readonly BytesElement[] {
  const cut = () =>
    servingErrors.REQUEST_MALFORMED(
      `input "${name}" has ${bytes.length} bytes, in which not ${count} BYTES values of shape [${shape.join(', ')}] lie: each is its length in 4 bytes, little-endian, and its bytes`,
    );
  if (count * 4 > bytes.length) throw cut(); // before memory is taken for what cannot be there
  const elements: BytesElement[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at + 4 > bytes.length) throw cut();
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) throw cut();
    elements.push(readElement(bytes, at + 4, end));
    at = end;
  }
  if (at !== bytes.length) throw cut();
  return elements;
}
