/**
 * Tensors as they travel inside the program: typed arrays, row-major, with the names and datatypes of the Open Inference
 * Protocol v2. No I/O and no TypeBox: runtimes, serving, the worker and the intake of predictions all load this file.
 */
export const datatypes = [
  'BOOL',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'FP16',
  'BF16',
  'FP32',
  'FP64',
  'BYTES',
] as const;
export type Datatype = (typeof datatypes)[number];

/** An element of BYTES: its text, or the bytes themselves where they are no UTF-8; never the bytes of a text. */
export type BytesElement = string | Uint8Array;

/** BOOL is one byte an element, 0 or 1; FP16 and BF16 are their bits. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly BytesElement[];
export type NumberData = Exclude<TensorData, readonly BytesElement[]>;

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** One input or output as a model declares it; -1 is a dimension that may vary, the first one being the row. */
export interface TensorSignature {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** `null` is accepted: NaN in floating point, the empty text in BYTES. Default false. */
  readonly nullable?: boolean;
  /** What runs it takes texts that it ends at U+0000: one that has it is refused, and bytes that are no text. Default false. */
  readonly withoutNul?: boolean;
  /** A table may lack the column: all of it is `null` then. Default false. */
  readonly optional?: boolean;
  /** Names of the columns that lie side by side in an input [-1, n], where tables are to find them by name. */
  readonly columns?: readonly string[];
}

export interface ModelSignature {
  readonly inputs: readonly TensorSignature[];
  readonly outputs: readonly TensorSignature[];
}

/** Bytes of one element; 0 for BYTES, whose elements vary. */
export const elementWidths: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
};

/** A typed array of `count` elements over `buffer` from `byteOffset` on, which must be a multiple of the element's width. */
export function viewOf(
  datatype: Exclude<Datatype, 'BYTES'>,
  buffer: ArrayBufferLike,
  byteOffset: number,
  count: number,
): NumberData {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return new Uint8Array(buffer, byteOffset, count);
    case 'INT8':
      return new Int8Array(buffer, byteOffset, count);
    case 'INT16':
      return new Int16Array(buffer, byteOffset, count);
    case 'INT32':
      return new Int32Array(buffer, byteOffset, count);
    case 'INT64':
      return new BigInt64Array(buffer, byteOffset, count);
    case 'UINT16':
    case 'FP16':
    case 'BF16':
      return new Uint16Array(buffer, byteOffset, count);
    case 'UINT32':
      return new Uint32Array(buffer, byteOffset, count);
    case 'UINT64':
      return new BigUint64Array(buffer, byteOffset, count);
    case 'FP32':
      return new Float32Array(buffer, byteOffset, count);
    default:
      return new Float64Array(buffer, byteOffset, count);
  }
}

/** A new typed array of zeros. */
export function emptyData(datatype: Exclude<Datatype, 'BYTES'>, count: number): NumberData {
  return viewOf(datatype, new ArrayBuffer(elementWidths[datatype] * count), 0, count);
}

/** Number of elements that a shape holds; undefined when a dimension is no natural number or the product passes 2^53. */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) return undefined;
    count *= dimension;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** Rows of a tensor: its first dimension, 1 for a scalar. */
export function rowsOf(tensor: Tensor): number {
  return tensor.shape[0] ?? 1;
}

/** Elements a row: the product of the dimensions behind the first, 1 for a scalar. */
export function elementsPerRow({ shape }: Tensor): number {
  let size = 1;
  for (let place = 1; place < shape.length; place += 1) size *= shape[place] ?? 1;
  return size;
}

/** A half precision number (IEEE 754) from its bits, as FP16 has it. */
export function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const wide = new Float32Array(1);
const wideBits = new Uint32Array(wide.buffer);

/** The number of BF16 bits: they are the upper half of a float's. */
export function bfloatToNumber(bits: number): number {
  wideBits[0] = bits << 16;
  return wide[0] as number;
}

/** Whether a datatype is a half of a float, which lies in memory as its bits. */
export const isHalf = (datatype: Datatype): datatype is 'FP16' | 'BF16' => datatype === 'FP16' || datatype === 'BF16';

/** The number of the bits of a half. */
export const toNumberFrom = (datatype: 'FP16' | 'BF16'): ((bits: number) => number) =>
  datatype === 'FP16' ? halfToNumber : bfloatToNumber;
