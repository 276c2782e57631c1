import { type BytesElement, type Datatype, emptyData, type TensorData } from '#contracts/tensor';
import { readElement } from '#contracts/tensor-bytes';
import { servingErrors } from '../serving-errors.ts';
import type { InputMessage } from './infer-request-codec.ts';
import { ProtoReader, wire } from './proto-reader.ts';

interface ContentsField {
  readonly number: number;
  readonly name: string;
}
const fields = {
  bool: { number: 1, name: 'bool_contents' },
  int: { number: 2, name: 'int_contents' },
  int64: { number: 3, name: 'int64_contents' },
  uint: { number: 4, name: 'uint_contents' },
  uint64: { number: 5, name: 'uint64_contents' },
  fp32: { number: 6, name: 'fp32_contents' },
  fp64: { number: 7, name: 'fp64_contents' },
  bytes: { number: 8, name: 'bytes_contents' },
} as const satisfies Readonly<Record<string, ContentsField>>;

/** Where InferTensorContents has the values of a datatype; FP16 and BF16 have no place in it. */
export const contentsFields: Readonly<Record<Datatype, ContentsField | undefined>> = {
  BOOL: fields.bool,
  INT8: fields.int,
  INT16: fields.int,
  INT32: fields.int,
  INT64: fields.int64,
  UINT8: fields.uint,
  UINT16: fields.uint,
  UINT32: fields.uint,
  UINT64: fields.uint64,
  FP16: undefined,
  BF16: undefined,
  FP32: fields.fp32,
  FP64: fields.fp64,
  BYTES: fields.bytes,
};

/** Reads the values of an input out of its `contents`: as many as its shape holds, in the field of its datatype. */
export function readTypedContents(bytes: Buffer, input: InputMessage, datatype: Datatype, count: number): TensorData {
  const { name, contents } = input;
  const field = contentsFields[datatype];
  if (field === undefined)
    throw servingErrors.REQUEST_MALFORMED(`input "${name}" is ${datatype}, which raw_input_contents alone can carry`);
  const elements: BytesElement[] = [];
  const data = datatype === 'BYTES' ? elements : emptyData(datatype, count);
  const read = elementReader(datatype, data, elements, name);
  const fixedWidth = datatype === 'FP32' ? 4 : 8;
  let index = 0;
  const readOne = (reader: ProtoReader): void => {
    if (index === count) throw wrongCount(input, `more than ${count}`, count);
    read(reader, index);
    index += 1;
  };

  for (let piece = 0; piece < contents.length; piece += 2) {
    const reader = new ProtoReader(bytes, contents[piece], contents[piece + 1]);
    while (reader.more) {
      const tag = reader.tag();
      const number = Math.floor(tag / 8);
      const type = tag & 7;
      if (number !== field.number) {
        if (number >= 1 && number <= 8 && !isEmptyChunk(reader, tag))
          throw servingErrors.REQUEST_MALFORMED(
            `input "${name}" is ${datatype}: its values belong into ${field.name}, there are some in another field`,
          );
        reader.skip(tag);
      } else if (datatype === 'BYTES') readOne(expect(reader, type === wire.bytes));
      else if (type === wire.bytes) {
        const outer = reader.enter();
        if ((datatype === 'FP32' || datatype === 'FP64') && reader.end - reader.at > (count - index) * fixedWidth)
          throw wrongCount(input, `more than ${count}`, count);
        while (reader.more) readOne(reader);
        reader.leave(outer);
      } else readOne(expect(reader, type === unpackedType(datatype)));
    }
  }
  if (index !== count) throw wrongCount(input, String(index), count);
  return data;
}

/** Some clients write an empty list for each kind of contents. */
const isEmptyChunk = (reader: ProtoReader, tag: number): boolean =>
  (tag & 7) === wire.bytes && Math.floor(tag / 8) !== fields.bytes.number && reader.bytes[reader.at] === 0;

function expect(reader: ProtoReader, fits: boolean): ProtoReader {
  if (!fits) reader.fail('the value of a tensor');
  return reader;
}

function unpackedType(datatype: Datatype): number {
  if (datatype === 'FP32') return wire.fixed32;
  return datatype === 'FP64' ? wire.fixed64 : wire.varint;
}

const ranges: Partial<Readonly<Record<Datatype, readonly [min: number, max: number]>>> = {
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x8000_0000, 0x7fff_ffff],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffff_ffff],
};

function elementReader(
  datatype: Datatype,
  data: TensorData,
  elements: BytesElement[],
  name: string,
): (reader: ProtoReader, index: number) => void {
  const numbers = data as Float64Array;
  const longs = data as BigInt64Array;
  switch (datatype) {
    case 'BYTES':
      return (reader) => {
        const end = reader.chunkEnd();
        elements.push(readElement(reader.bytes, reader.at, end));
        reader.at = end;
      };
    case 'FP32':
      return (reader, index) => void (numbers[index] = reader.float());
    case 'FP64':
      return (reader, index) => void (numbers[index] = reader.double());
    case 'BOOL':
      return (reader, index) => void (numbers[index] = reader.uint() === 0 ? 0 : 1);
    case 'INT64':
      return (reader, index) => void (longs[index] = reader.int64());
    case 'UINT64':
      return (reader, index) => void (longs[index] = reader.uint64());
    default: {
      const isSigned = datatype.startsWith('I');
      const [min, max] = ranges[datatype] ?? [0, 0];
      return (reader, index) => {
        const value = isSigned ? reader.int32() : reader.uint();
        if (value < min || value > max)
          throw servingErrors.REQUEST_MALFORMED(`input "${name}": ${value} is no value of ${datatype}`);
        numbers[index] = value;
      };
    }
  }
}

function wrongCount({ name, shape }: InputMessage, found: string, count: number): Error {
  return servingErrors.REQUEST_MALFORMED(
    `input "${name}" has ${found} values, its shape [${shape.join(', ')}] holds ${count}`,
  );
}
