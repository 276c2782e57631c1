import {
  type Datatype,
  datatypes,
  elementCount,
  elementWidths,
  isHalf,
  type TensorData,
  viewOf,
} from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import type { ParsedTensor } from '../infer-request.ts';
import { servingErrors } from '../serving-errors.ts';
import type { JsonCursor } from './json-cursor.ts';

/** An input whose data follow the JSON as bytes. */
export interface BinaryTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly binaryBytes: number;
}

const integerRanges: Partial<Readonly<Record<Datatype, readonly [min: number, max: number]>>> = {
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x8000_0000, 0x7fff_ffff],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffff_ffff],
};
const longRanges: Partial<Readonly<Record<Datatype, readonly [min: bigint, max: bigint]>>> = {
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
};

/** Reads one element of `inputs`: `{ "name", "shape", "datatype", "data" }` in any order, unknown fields ignored. */
export function readTensor(cursor: JsonCursor, bodyBytes: number): ParsedTensor | BinaryTensor {
  let name: string | undefined;
  let datatype: Datatype | undefined;
  let shape: readonly number[] | undefined;
  let dataAt: number | undefined;
  let data: ParsedData | undefined;
  let binaryBytes: number | undefined;

  cursor.expect(0x7b);
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      if (field === 'name') name = cursor.string();
      else if (field === 'datatype') datatype = toDatatype(cursor.string(), name);
      else if (field === 'shape') shape = toShape(cursor.value(), name, bodyBytes);
      else if (field === 'data') {
        cursor.peek();
        dataAt = cursor.at;
        if (datatype !== undefined && !isHalf(datatype) && shape !== undefined)
          data = readData(cursor, name, datatype, shape);
        else cursor.skip();
      } else if (field === 'parameters') binaryBytes = toBinaryBytes(cursor.value(), name);
      else cursor.value();
    } while (cursor.take(0x2c));
    cursor.expect(0x7d);
  }
  const label = name === undefined ? 'an input' : `input "${name}"`;
  if (name === undefined) throw servingErrors.REQUEST_MALFORMED('an input has no "name"');
  if (datatype === undefined) throw servingErrors.REQUEST_MALFORMED(`${label} has no "datatype"`);
  if (shape === undefined) throw servingErrors.REQUEST_MALFORMED(`${label} has no "shape"`);
  if (binaryBytes !== undefined) {
    if (dataAt !== undefined)
      throw servingErrors.REQUEST_MALFORMED(`${label} has both "data" and "binary_data_size"; it takes one`);
    return { name, datatype, shape, binaryBytes };
  }
  if (dataAt === undefined) throw servingErrors.REQUEST_MALFORMED(`${label} has no "data"`);
  if (isHalf(datatype))
    throw servingErrors.REQUEST_MALFORMED(
      `${label} is ${datatype}, which JSON cannot carry; send it as binary data, with "binary_data_size" among its parameters`,
    );
  if (data === undefined) {
    const after = cursor.at; // the data came before what says how to read them
    cursor.at = dataAt;
    data = readData(cursor, name, datatype, shape);
    cursor.at = after;
  }
  return { name, datatype, shape, data: data.data, hasNull: data.hasNull };
}

/** Memory for so many values is taken before they are looked for: the reader then says how many there are. */
const carelessCount = 65_536;

interface ParsedData {
  readonly data: TensorData;
  readonly hasNull: boolean;
}

function toDatatype(text: string, name: string | undefined): Datatype {
  const known = datatypes.find((datatype) => datatype === text);
  if (known === undefined)
    throw servingErrors.REQUEST_MALFORMED(
      `input "${name ?? '?'}" has datatype "${text}"; known are ${datatypes.join(', ')}`,
    );
  return known;
}

const sharedMemory = ['shared_memory_region', 'shared_memory_byte_size', 'shared_memory_offset'];

function toBinaryBytes(value: unknown, name: string | undefined): number | undefined {
  const label = `input "${name ?? '?'}"`;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw servingErrors.REQUEST_MALFORMED(`${label} has "parameters" that are no object`);
  if (sharedMemory.some((key) => key in value)) throw servingErrors.SHARED_MEMORY_NOT_YET();
  const { binary_data_size: size } = value as { readonly binary_data_size?: unknown };
  if (size === undefined || (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0)) return size;
  throw servingErrors.REQUEST_MALFORMED(`${label} has a "binary_data_size" that is no natural number`);
}

function toShape(value: unknown, name: string | undefined, bodyBytes: number): readonly number[] {
  const label = `input "${name ?? '?'}"`;
  if (!Array.isArray(value) || value.length > 16 || !value.every((d): d is number => Number.isSafeInteger(d) && d >= 0))
    throw servingErrors.REQUEST_MALFORMED(`${label} needs a "shape" of at most 16 natural numbers`);
  const count = elementCount(value);
  // Every value takes a byte at least: a shape that promises more is refused before memory is taken for it.
  if (count === undefined || count > bodyBytes)
    throw servingErrors.REQUEST_MALFORMED(
      `${label} has shape [${value.join(', ')}], which holds more values than the body`,
    );
  return value;
}

/** Whatever is wrong with the values, the input is named. */
function readData(
  cursor: JsonCursor,
  name: string | undefined,
  datatype: Datatype,
  shape: readonly number[],
): ParsedData {
  const label = name === undefined ? 'an input' : `input "${name}"`;
  try {
    return readValues(cursor, label, datatype, shape);
  } catch (error) {
    if (!isAppError(error, 'REQUEST_MALFORMED') || error.message.startsWith(label)) throw error;
    throw servingErrors.REQUEST_MALFORMED(`${label}: ${error.message}`);
  }
}

function readValues(cursor: JsonCursor, label: string, datatype: Datatype, shape: readonly number[]): ParsedData {
  const count = elementCount(shape) ?? 0;
  // Each value and what parts it from the next is two bytes: no great memory is taken for what cannot be there.
  if (count > carelessCount && count > cursor.remaining / 2)
    throw servingErrors.REQUEST_MALFORMED(
      `${label} has shape [${shape.join(', ')}], which holds more values than the body`,
    );
  const texts: string[] | undefined = datatype === 'BYTES' ? [] : undefined;
  const data = datatype === 'BYTES' ? (texts ?? []) : roomFor(datatype, count);
  const floats = datatype === 'FP32' || datatype === 'FP64' ? (data as Float64Array) : undefined;
  const read = elementReader(cursor, datatype, data, texts);
  const wrongLength = (found: string): Error =>
    servingErrors.REQUEST_MALFORMED(`${label} has ${found}, its shape [${shape.join(', ')}] holds ${count} values`);
  let index = 0;
  let hasNull = false;

  const readRun = (length: number) => {
    if (cursor.take(0x5d)) {
      if (length !== 0) throw wrongLength('too few values');
      return;
    }
    let seen = 0;
    do {
      if (floats !== undefined) {
        const plain = cursor.floats(floats, index, index + length - seen);
        index += plain;
        seen += plain;
        if (plain > 0 && !cursor.take(0x2c)) break;
      }
      if (seen === length) throw wrongLength('too many values');
      if (!read(index)) hasNull = true;
      index += 1;
      seen += 1;
    } while (cursor.take(0x2c));
    if (seen !== length) throw wrongLength(`${index} values`);
    cursor.expect(0x5d);
  };
  const readNested = (depth: number) => {
    const length = shape[depth] ?? 0;
    if (depth === shape.length - 1) return readRun(length);
    if (cursor.take(0x5d)) {
      if (length !== 0) throw wrongLength('too few values');
      return;
    }
    let seen = 0;
    do {
      if (seen === length) throw wrongLength('too many values');
      cursor.expect(0x5b);
      readNested(depth + 1);
      seen += 1;
    } while (cursor.take(0x2c));
    if (seen !== length) throw wrongLength('too few values');
    cursor.expect(0x5d);
  };

  cursor.expect(0x5b);
  if (shape.length > 1 && cursor.peek() === 0x5b) readNested(0);
  else readRun(count);
  return { data, hasNull };
}

/** Out of memory that is shared and holds what was there before: each value is written, or the tensor is refused. */
function roomFor(datatype: Exclude<Datatype, 'BYTES'>, count: number): TensorData {
  const room = Buffer.allocUnsafe(count * elementWidths[datatype]); // at a multiple of 8
  return viewOf(datatype, room.buffer, room.byteOffset, count);
}

/** Reads the element at an index into the data; false when it was `null`. */
function elementReader(
  cursor: JsonCursor,
  datatype: Datatype,
  data: TensorData,
  texts: string[] | undefined,
): (index: number) => boolean {
  const isNull = () => cursor.peek() === 0x6e && cursor.word('null');
  const range = integerRanges[datatype];
  const longRange = longRanges[datatype];
  if (texts !== undefined)
    return () => {
      const none = isNull();
      texts.push(none ? '' : cursor.string());
      return !none;
    };
  if (longRange !== undefined) {
    const target = data as BigInt64Array;
    return (index) => {
      const value = cursor.integer();
      if (value < longRange[0] || value > longRange[1]) throw outOfRange(String(value), datatype);
      target[index] = value;
      return true;
    };
  }
  const target = data as Float64Array;
  if (range !== undefined)
    return (index) => {
      const value = cursor.number();
      if (!Number.isInteger(value) || value < range[0] || value > range[1]) throw outOfRange(String(value), datatype);
      target[index] = value;
      return true;
    };
  if (datatype === 'BOOL')
    return (index) => {
      const yes = cursor.word('true');
      if (!yes && !cursor.word('false')) cursor.fail('true or false');
      target[index] = yes ? 1 : 0;
      return true;
    };
  return (index) => {
    if (isNull()) {
      target[index] = Number.NaN;
      return false;
    }
    const value = cursor.number();
    target[index] = value;
    if (!Number.isFinite(target[index])) throw outOfRange(String(value), datatype);
    return true;
  };
}

function outOfRange(value: string, datatype: Datatype): Error {
  return servingErrors.REQUEST_MALFORMED(`${value} is no value of ${datatype}`);
}
