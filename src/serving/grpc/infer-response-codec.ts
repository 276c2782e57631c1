import { type Datatype, elementWidths, type Tensor } from '#contracts/tensor';
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
  const { outputs } = answer;
  // one form for all outputs: FP16 has none but raw
  const raw = answer.raw || outputs.some(({ datatype }) => contentsFields[datatype] === undefined);
  const parameters = answer.parameters.map(([name, value]) => encodeParameter(name, value));
  const heads = outputs.map((output) => headOf(output, raw));
  const contents = raw ? outputs.map(({ datatype, data }) => rawBytes(datatype, data)) : [];
  let size = textSize(answer.modelName) + textSize(answer.modelVersion) + textSize(answer.id);
  for (const parameter of parameters) size += chunkSize(parameter.length);
  for (const head of heads) size += chunkSize(head.length);
  for (const content of contents) size += chunkSize(content.length);

  const buffer = Buffer.allocUnsafe(size);
  let at = writeText(buffer, 0, 1, answer.modelName);
  at = writeText(buffer, at, 2, answer.modelVersion);
  at = writeText(buffer, at, 3, answer.id);
  for (const parameter of parameters) at = writeChunk(buffer, at, 4, parameter);
  for (const head of heads) at = writeChunk(buffer, at, 5, head);
  for (const content of contents) at = writeChunk(buffer, at, 6, content);
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
function headOf({ name, datatype, shape, data }: Tensor, raw: boolean): Buffer {
  const contents = raw ? undefined : typedContents(datatype, data);
  let shapeSize = 0;
  for (const dimension of shape) shapeSize += varintSize(dimension);
  const buffer = Buffer.allocUnsafe(
    textSize(name) +
      textSize(datatype) +
      (shapeSize === 0 ? 0 : chunkSize(shapeSize)) +
      (contents === undefined ? 0 : chunkSize(contents.length)),
  );
  let at = writeText(buffer, 0, 1, name);
  at = writeText(buffer, at, 2, datatype);
  if (shapeSize > 0) {
    buffer[at++] = (3 << 3) | wire.bytes;
    at = writeVarint(buffer, at, shapeSize);
    for (const dimension of shape) at = writeVarint(buffer, at, dimension);
  }
  if (contents !== undefined) writeChunk(buffer, at, 5, contents);
  return buffer;
}

/** Little-endian and row-major, as they lie in memory; texts with their lengths before them. */
function rawBytes(datatype: Datatype, data: Tensor['data']): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (datatype !== 'BYTES') return empty;
  let size = 4 * data.length;
  for (const text of data) size += Buffer.byteLength(text);
  const buffer = Buffer.allocUnsafe(size);
  let at = 0;
  for (const text of data) {
    const length = buffer.write(text, at + 4);
    buffer.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return buffer;
}

function typedContents(datatype: Datatype, data: Tensor['data']): Buffer {
  const field = contentsFields[datatype];
  const writer = new ProtoWriter();
  if (field === undefined || data.length === 0) return writer.finish();
  if (!ArrayBuffer.isView(data)) for (const text of data) writer.text(field.number, text);
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

function encodeParameter(name: string, value: string | boolean): Buffer {
  const valueSize = typeof value === 'boolean' ? 2 : textSize(value);
  const buffer = Buffer.allocUnsafe(textSize(name) + chunkSize(valueSize));
  let at = writeText(buffer, 0, 1, name);
  buffer[at++] = (2 << 3) | wire.bytes;
  at = writeVarint(buffer, at, valueSize);
  if (typeof value === 'string') writeText(buffer, at, 3, value);
  else {
    buffer[at++] = (1 << 3) | wire.varint;
    buffer[at] = value ? 1 : 0;
  }
  return buffer;
}

const chunkSize = (length: number): number => 1 + varintSize(length) + length;
/** An empty text is not written. */
const textSize = (text: string): number => (text === '' ? 0 : chunkSize(Buffer.byteLength(text)));

function writeText(buffer: Buffer, from: number, field: number, text: string): number {
  if (text === '') return from;
  buffer[from] = (field << 3) | wire.bytes;
  const at = writeVarint(buffer, from + 1, Buffer.byteLength(text));
  return at + buffer.write(text, at);
}

function writeChunk(buffer: Buffer, from: number, field: number, bytes: Uint8Array): number {
  buffer[from] = (field << 3) | wire.bytes;
  const at = writeVarint(buffer, from + 1, bytes.length);
  buffer.set(bytes, at);
  return at + bytes.length;
}
