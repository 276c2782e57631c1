import { type Datatype, elementWidths, type Tensor } from '#contracts/tensor';
import { tensorByteLength, writeTensorData } from '#contracts/tensor-bytes';
import { wire } from './proto-reader.ts';
import { ProtoWriter, varintSize, writeVarint } from './proto-writer.ts';
import { contentsFields } from './typed-contents.ts';

export interface InferAnswer {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  /** Texts that go with the answer as its parameters. */
  readonly parameters: readonly (readonly [name: string, value: string | boolean])[];
  readonly outputs: readonly Tensor[];
  /** Whether it was asked in raw contents; then it is answered so. */
  readonly raw: boolean;
}

/** `inference.ModelInferResponse`, by hand: sizes first, then one buffer filled once. */
export function encodeInferResponse(answer: InferAnswer): Buffer {
  const { outputs, parameters } = answer;
  // one form for all outputs: FP16 and BF16 have none but raw
  const raw = answer.raw || outputs.some(({ datatype }) => contentsFields[datatype] === undefined);
  const contents = outputs.map(({ datatype, data }) =>
    raw ? rawBytes(datatype, data) : typedContents(datatype, data),
  );
  const headSizes = outputs.map((output, index) => headSize(output, raw ? 0 : chunkSize(contents[index]?.length ?? 0)));
  let size = textSize(answer.modelName) + textSize(answer.modelVersion) + textSize(answer.id);
  for (const parameter of parameters) size += chunkSize(parameterSize(parameter));
  for (const head of headSizes) size += chunkSize(head);
  if (raw) for (const content of contents) size += chunkSize(content.length);

  const buffer = Buffer.allocUnsafe(size);
  let at = writeText(buffer, 0, 1, answer.modelName);
  at = writeText(buffer, at, 2, answer.modelVersion);
  at = writeText(buffer, at, 3, answer.id);
  for (const parameter of parameters) at = writeParameter(buffer, at, parameter);
  for (let index = 0; index < outputs.length; index += 1)
    at = writeHead(buffer, at, outputs[index] as Tensor, headSizes[index] ?? 0, raw ? undefined : contents[index]);
  if (raw) for (const content of contents) at = writeChunk(buffer, at, 6, content);
  return buffer;
}

/** `inference.ModelStreamInferResponse`: the answer, or why there is none and to which request. */
export function encodeStreamResponse(answer: Buffer, errorMessage: string): Buffer {
  const buffer = Buffer.allocUnsafe(textSize(errorMessage) + chunkSize(answer.length));
  writeChunk(buffer, writeText(buffer, 0, 1, errorMessage), 2, answer);
  return buffer;
}

const empty = new Uint8Array();

/** What an output is, with its values when they are not raw. */
function headSize({ name, datatype, shape }: Tensor, contentsSize: number): number {
  const dimensions = shapeSize(shape);
  return textSize(name) + textSize(datatype) + (dimensions === 0 ? 0 : chunkSize(dimensions)) + contentsSize;
}

function shapeSize(shape: readonly number[]): number {
  let size = 0;
  for (const dimension of shape) size += varintSize(dimension);
  return size;
}

function writeHead(
  buffer: Buffer,
  from: number,
  { name, datatype, shape }: Tensor,
  size: number,
  contents: Uint8Array | undefined,
): number {
  let at = writeLength(buffer, from, 5, size);
  at = writeText(buffer, at, 1, name);
  at = writeText(buffer, at, 2, datatype);
  if (shape.length > 0) {
    at = writeLength(buffer, at, 3, shapeSize(shape));
    for (const dimension of shape) at = writeVarint(buffer, at, dimension);
  }
  return contents === undefined ? at : writeChunk(buffer, at, 5, contents);
}

/** Little-endian and row-major, as they lie in memory; texts with their lengths before them. */
function rawBytes(datatype: Datatype, data: Tensor['data']): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (datatype !== 'BYTES') return empty;
  const buffer = Buffer.allocUnsafe(tensorByteLength({ data }));
  writeTensorData(buffer, 0, data);
  return buffer;
}

function typedContents(datatype: Datatype, data: Tensor['data']): Buffer {
  const field = contentsFields[datatype];
  const writer = new ProtoWriter();
  if (field === undefined || data.length === 0) return writer.finish();
  if (!ArrayBuffer.isView(data))
    for (const element of data)
      if (typeof element === 'string') writer.text(field.number, element);
      else writer.bytes(field.number, element);
  else if (datatype === 'FP32' || datatype === 'FP64') writer.bytes(field.number, rawBytes(datatype, data));
  else {
    const packed = new ProtoWriter();
    const isLong = elementWidths[datatype] === 8;
    for (const value of data as Iterable<number | bigint> & typeof data) {
      if (isLong || value < 0) packed.uint64(BigInt(value));
      else packed.uint(Number(value));
    }
    writer.bytes(field.number, packed.finish());
  }
  return writer.finish();
}

type Parameter = InferAnswer['parameters'][number];

function parameterSize([name, value]: Parameter): number {
  return textSize(name) + chunkSize(typeof value === 'boolean' ? 2 : textSize(value));
}

function writeParameter(buffer: Buffer, from: number, parameter: Parameter): number {
  const [name, value] = parameter;
  let at = writeLength(buffer, from, 4, parameterSize(parameter));
  at = writeText(buffer, at, 1, name);
  at = writeLength(buffer, at, 2, typeof value === 'boolean' ? 2 : textSize(value));
  if (typeof value === 'string') return writeText(buffer, at, 3, value);
  buffer[at] = (1 << 3) | wire.varint;
  buffer[at + 1] = value ? 1 : 0;
  return at + 2;
}

const chunkSize = (length: number): number => 1 + varintSize(length) + length;
/** An empty text is not written. */
const textSize = (text: string): number => (text === '' ? 0 : chunkSize(Buffer.byteLength(text)));

function writeLength(buffer: Buffer, at: number, field: number, length: number): number {
  buffer[at] = (field << 3) | wire.bytes;
  return writeVarint(buffer, at + 1, length);
}

/** Most are short: then the length takes one byte, and is known once the text is written. */
function writeText(buffer: Buffer, from: number, field: number, text: string): number {
  if (text === '') return from;
  if (text.length > 40) {
    const at = writeLength(buffer, from, field, Buffer.byteLength(text));
    return at + buffer.write(text, at);
  }
  buffer[from] = (field << 3) | wire.bytes;
  const length = buffer.write(text, from + 2);
  buffer[from + 1] = length;
  return from + 2 + length;
}

function writeChunk(buffer: Buffer, from: number, field: number, bytes: Uint8Array): number {
  const at = writeLength(buffer, from, field, bytes.length);
  buffer.set(bytes, at);
  return at + bytes.length;
}
