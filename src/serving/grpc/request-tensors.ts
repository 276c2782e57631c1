import {
  type BytesElement,
  type Datatype,
  datatypes,
  elementCount,
  elementWidths,
  type TensorData,
  viewOf,
} from '#contracts/tensor';
import { readElement } from '#contracts/tensor-bytes';
import type { ParsedTensor } from '../infer-request.ts';
import { servingErrors } from '../serving-errors.ts';
import type { InferMessage, InputMessage } from './infer-request-codec.ts';
import { readTypedContents } from './typed-contents.ts';

const knownDatatypes: ReadonlySet<string> = new Set(datatypes);

/**
 * The tensors of a request, typed. Raw contents are views of the buffer that came, where the machine can read numbers at
 * that place, else copies. REQUEST_MALFORMED when sizes and shapes do not agree; before that no memory is taken for what
 * a shape promises.
 */
export function readRequestTensors(bytes: Buffer, { inputs, raw }: InferMessage): readonly ParsedTensor[] {
  if (raw.length === 0) return inputs.map((input) => readTyped(bytes, input));
  const mixed = inputs.find(({ contents }) => contents.length > 0);
  if (mixed !== undefined)
    throw servingErrors.REQUEST_MALFORMED(
      `input "${mixed.name}" has "contents" beside raw_input_contents; a request has one or the other for all inputs`,
    );
  if (raw.length !== 2 * inputs.length)
    throw servingErrors.REQUEST_MALFORMED(
      `there are ${raw.length / 2} raw_input_contents for ${inputs.length} inputs; each input needs one`,
    );
  return inputs.map((input, index) => {
    const from = raw[2 * index] ?? 0;
    return readRaw(bytes, input, from, raw[2 * index + 1] ?? from);
  });
}

function readTyped(bytes: Buffer, input: InputMessage): ParsedTensor {
  const { name, shape } = input;
  const datatype = toDatatype(input);
  const size = input.contents.reduce((sum, place, index) => sum + (index % 2 === 0 ? -place : place), 0);
  const count = countElements(input, size, 1);
  const data = readTypedContents(bytes, input, datatype, count);
  return { name, datatype, shape, data, hasNull: false };
}

function readRaw(bytes: Buffer, input: InputMessage, from: number, to: number): ParsedTensor {
  const { name, shape } = input;
  const datatype = toDatatype(input);
  const width = elementWidths[datatype];
  if (datatype === 'BYTES') {
    const data = readElements(bytes, input, from, to, countElements(input, to - from, 4));
    return { name, datatype, shape, data, hasNull: false };
  }
  const count = countElements(input, to - from, width);
  if (count * width !== to - from)
    throw servingErrors.REQUEST_MALFORMED(
      `input "${name}" has ${to - from} raw bytes, its shape [${shape.join(', ')}] of ${datatype} takes ${count * width}`,
    );
  const data = numbersAt(datatype, bytes, from, count);
  if (datatype === 'BOOL' && (data as Uint8Array).some((value) => value > 1))
    throw servingErrors.REQUEST_MALFORMED(`input "${name}" has a BOOL that is neither 0 nor 1`);
  return { name, datatype, shape, data, hasNull: false };
}

function numbersAt(datatype: Exclude<Datatype, 'BYTES'>, bytes: Buffer, from: number, count: number): TensorData {
  const width = elementWidths[datatype];
  const offset = bytes.byteOffset + from;
  if (offset % width === 0) return viewOf(datatype, bytes.buffer, offset, count);
  const copy = Buffer.allocUnsafeSlow(count * width); // a buffer of its own, so aligned, and not filled with zeros first
  bytes.copy(copy, 0, from, from + copy.length);
  return viewOf(datatype, copy.buffer, copy.byteOffset, count);
}

/** The raw form of BYTES: each element is its length, four bytes little-endian, and its bytes. */
function readElements(
  bytes: Buffer,
  { name, shape }: InputMessage,
  from: number,
  to: number,
  count: number,
): readonly BytesElement[] {
  const elements: BytesElement[] = [];
  let at = from;
  while (at + 4 <= to) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > to) break;
    elements.push(readElement(bytes, at + 4, end));
    at = end;
    if (elements.length > count) break;
  }
  if (at !== to || elements.length !== count)
    throw servingErrors.REQUEST_MALFORMED(
      `the raw bytes of input "${name}" are not the ${count} elements of its shape [${shape.join(', ')}], each with its length before it`,
    );
  return elements;
}

function toDatatype({ name, datatype }: InputMessage): Datatype {
  if (knownDatatypes.has(datatype)) return datatype as Datatype;
  throw servingErrors.REQUEST_MALFORMED(
    `input "${name}" has datatype "${datatype}"; known are ${datatypes.join(', ')}`,
  );
}

/** How many elements the shape holds; refused when they cannot lie in so many bytes. */
function countElements({ name, shape }: InputMessage, sizeBytes: number, leastBytes: number): number {
  const count = elementCount(shape);
  if (count !== undefined && count * leastBytes <= sizeBytes) return count;
  const dimensions = shape.map((dimension) => (dimension >= 2 ** 63 ? 'negative' : dimension)).join(', ');
  throw servingErrors.REQUEST_MALFORMED(
    count === undefined
      ? `input "${name}" has shape [${dimensions}]; it takes natural numbers`
      : `input "${name}" has shape [${dimensions}], which holds more values than its ${sizeBytes} bytes`,
  );
}
