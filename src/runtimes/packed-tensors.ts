import { type BytesElement, type Datatype, elementWidths, type Tensor, viewOf } from '#contracts/tensor';

/** Tensors on their way between threads: numbers in one buffer, which is transferred; texts beside it, which are copied. */
export interface PackedTensors {
  readonly buffer: ArrayBuffer;
  readonly parts: readonly PackedPart[];
}

interface PackedPart {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly byteOffset: number;
  readonly count: number;
  readonly texts?: readonly BytesElement[];
}

export function packTensors(tensors: readonly Tensor[]): PackedTensors {
  let sizeBytes = 0;
  const parts = tensors.map(({ name, datatype, shape, data }): PackedPart => {
    const byteOffset = sizeBytes;
    const part = { name, datatype, shape, byteOffset, count: data.length };
    if (datatype === 'BYTES') return { ...part, texts: data as readonly BytesElement[] };
    sizeBytes += (data.length * elementWidths[datatype] + 7) & ~7; // each view starts at a multiple of 8
    return part;
  });
  const buffer = new ArrayBuffer(sizeBytes);
  const bytes = new Uint8Array(buffer);
  for (const [index, { data }] of tensors.entries())
    if (ArrayBuffer.isView(data))
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), parts[index]?.byteOffset);
  return { buffer, parts };
}

export function unpackTensors({ buffer, parts }: PackedTensors): readonly Tensor[] {
  return parts.map(({ name, datatype, shape, byteOffset, count, texts }) => ({
    name,
    datatype,
    shape,
    data: datatype === 'BYTES' ? (texts ?? []) : viewOf(datatype, buffer, byteOffset, count),
  }));
}
