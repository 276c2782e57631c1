import {
  type BytesElement,
  type Datatype,
  datatypes,
  elementCount,
  elementWidths,
  type Tensor,
  type TensorData,
  viewOf,
} from '#contracts/tensor';
import { readElement, tensorByteLength, writeTensorData } from '#contracts/tensor-bytes';

/**
 * The frames between the data plane and a process that holds a model; docs/model-worker-protocol.md has the layout for
 * those who write such a process. Tensors follow the header as bytes, little-endian as this machine is, and are never
 * JSON; each starts at a multiple of 8 from the start of its frame, so that both sides look at them where they lie.
 */
export const frameKinds = { load: 1, loaded: 2, predict: 3, predicted: 4, failed: 5 } as const;
export const protocolVersion = 1;

export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly header: string;
  /** The whole frame; tensors begin at `bodyOffset`. */
  readonly buffer: ArrayBuffer;
  readonly bodyOffset: number;
}

interface TensorHeader {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Of BYTES alone: the others follow from the shape. */
  readonly sizeBytes?: number;
}

const prefixBytes = 16;
/** A frame that says it is longer is a mistake of the other side, not a tensor. */
const longestFrame = 2 ** 31 - 1;
const padded = (sizeBytes: number): number => (sizeBytes + 7) & ~7;

export function encodeFrame(kind: number, id: number, header: unknown): Buffer {
  const { frame } = begin(kind, id, JSON.stringify(header), 0);
  return frame;
}

/** A request: its tensors are copied once, into the bytes that are written. */
export function encodePredict(
  id: number,
  inputs: readonly Tensor[],
  outputs: readonly string[],
  parameters: Readonly<Record<string, unknown>> | undefined,
): Buffer {
  let bodyBytes = 0;
  const headers: TensorHeader[] = [];
  const texts: (Buffer | undefined)[] = [];
  for (const { name, datatype, shape, data } of inputs) {
    const text = datatype === 'BYTES' ? packBytes(data) : undefined;
    const sizeBytes = text?.length ?? data.length * elementWidths[datatype];
    texts.push(text);
    headers.push({ name, datatype, shape, ...(text !== undefined && { sizeBytes }) });
    bodyBytes += padded(sizeBytes);
  }
  const header = JSON.stringify({ inputs: headers, outputs, parameters });
  const { frame, bodyOffset } = begin(frameKinds.predict, id, header, bodyBytes);
  let at = bodyOffset;
  for (const [index, { data }] of inputs.entries()) {
    const bytes = texts[index] ?? (ArrayBuffer.isView(data) ? bytesOf(data) : undefined);
    if (bytes === undefined) continue;
    frame.set(bytes, at);
    at += padded(bytes.length);
  }
  return frame;
}

/** The tensors of an answer, views of the frame. Throws when the header does not describe what follows. */
export function decodeTensors(frame: Frame): readonly Tensor[] {
  let at = frame.bodyOffset;
  return describedIn(frame.header).map(({ name, datatype, shape, sizeBytes }) => {
    const count = elementCount(shape);
    if (count === undefined || !datatypes.includes(datatype))
      throw new Error(`output "${name}" is said to be ${datatype} of shape [${shape.join(', ')}]`);
    const size = datatype === 'BYTES' ? (sizeBytes ?? 0) : count * elementWidths[datatype];
    if (at + size > frame.buffer.byteLength) throw new Error(`output "${name}" ends behind its frame`);
    const data =
      datatype === 'BYTES'
        ? unpackBytes(Buffer.from(frame.buffer, at, size), count, name)
        : viewOf(datatype, frame.buffer, at, count);
    at += padded(size);
    return { name, datatype, shape, data };
  });
}

/** Answers to requests of one shape have one header: it is read once. */
const described = new Map<string, readonly TensorHeader[]>();
const mostDescribed = 1_000;

function describedIn(header: string): readonly TensorHeader[] {
  const known = described.get(header);
  if (known !== undefined) return known;
  const { outputs } = JSON.parse(header) as { readonly outputs?: readonly TensorHeader[] };
  if (!Array.isArray(outputs)) throw new Error('it answered without outputs');
  if (described.size >= mostDescribed) described.clear();
  described.set(header, outputs);
  return outputs;
}

/** Cuts a stream of bytes into frames. Each frame is gathered in memory of its own, which its tensors then are. */
export function createFrameReader(onFrame: (frame: Frame) => void): (chunk: Buffer) => void {
  const length = Buffer.alloc(4);
  let lengthBytes = 0;
  let frame: Buffer | undefined;
  let filled = 0;

  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (frame === undefined) {
        const taken = chunk.copy(length, lengthBytes, at);
        lengthBytes += taken;
        at += taken;
        if (lengthBytes < 4) return;
        const following = length.readUInt32LE(0);
        if (following < prefixBytes - 4 || following > longestFrame)
          throw new Error(`a frame of ${following} bytes is none of this protocol`);
        frame = Buffer.from(new ArrayBuffer(following + 4));
        filled = length.copy(frame);
        lengthBytes = 0;
      }
      const taken = chunk.copy(frame, filled, at);
      filled += taken;
      at += taken;
      if (filled < frame.length) return;
      const whole = frame;
      frame = undefined;
      onFrame(toFrame(whole));
    }
  };
}

function toFrame(whole: Buffer): Frame {
  const headerBytes = whole.readUInt32LE(12);
  const bodyOffset = prefixBytes + headerBytes;
  if (bodyOffset > whole.length || bodyOffset % 8 !== 0)
    throw new Error(`a header of ${headerBytes} bytes does not fit its frame`);
  return {
    kind: whole.readUInt8(4),
    id: whole.readUInt32LE(8),
    header: whole.toString('utf8', prefixBytes, bodyOffset),
    buffer: whole.buffer as ArrayBuffer,
    bodyOffset,
  };
}

function begin(
  kind: number,
  id: number,
  header: string,
  bodyBytes: number,
): { readonly frame: Buffer; readonly bodyOffset: number } {
  const textBytes = Buffer.byteLength(header);
  const headerBytes = padded(textBytes);
  const bodyOffset = prefixBytes + headerBytes;
  const frame = Buffer.allocUnsafe(bodyOffset + bodyBytes);
  frame.writeUInt32LE(frame.length - 4, 0);
  frame.writeUInt32LE(kind, 4);
  frame.writeUInt32LE(id, 8);
  frame.writeUInt32LE(headerBytes, 12);
  frame.write(header, prefixBytes);
  frame.fill(0x20, prefixBytes + textBytes, bodyOffset);
  return { frame, bodyOffset };
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function packBytes(data: TensorData): Buffer {
  const packed = Buffer.allocUnsafe(tensorByteLength({ data }));
  writeTensorData(packed, 0, data);
  return packed;
}

function unpackBytes(bytes: Buffer, count: number, name: string): readonly BytesElement[] {
  const elements: BytesElement[] = [];
  let at = 0;
  while (elements.length < count) {
    if (at + 4 > bytes.length)
      throw new Error(`output "${name}" has ${elements.length} texts, its shape holds ${count}`);
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) throw new Error(`output "${name}" has a text that ends behind it`);
    elements.push(readElement(bytes, at + 4, end));
    at = end;
  }
  return elements;
}
