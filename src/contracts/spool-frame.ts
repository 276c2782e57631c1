import { crc32c } from './crc32c.ts';
import type { PredictionEnvelope, PredictionRecord } from './prediction-record.ts';
import { type Datatype, elementCount, elementWidths, type Tensor, type TensorData, viewOf } from './tensor.ts';
import { tensorByteLength, writeTensorData } from './tensor-bytes.ts';

/**
 * The frame of one prediction record, in spool segments, on the wire to the control plane and later in Kafka. All
 * integers are little-endian.
 *
 *   u32 length     bytes that follow the checksum
 *   u32 crc32c     of those bytes
 *   u64 offset     ordinal of the record in its epoch: 0, 1, 2 …
 *   u32 size       bytes of the envelope
 *   envelope       JSON, UTF-8: PredictionEnvelope plus `inputs` and `outputs`, each `[{ name, datatype, shape, bytes }]`
 *   tensors        the data of the inputs in that order, then of the outputs; row-major, no padding.
 *                  BOOL one byte an element; BYTES each element as u32 length and UTF-8
 *
 * A segment or a delivery is frames back to back. A frame whose length runs past the end is `cut` (it may still be being
 * written); one whose checksum or content does not fit is `bad`.
 */
export const frameHeaderBytes = 8;
const bodyHeaderBytes = 12;
/** No frame is longer: a length above this is damage, not data. */
export const maxFrameBytes = 256 * 1024 * 1024;

interface TensorHeader {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** A record made ready to be framed: all but its offset, which is known when it is written. */
export interface EncodedRecord {
  readonly envelope: string;
  readonly envelopeBytes: number;
  readonly tensors: readonly Tensor[];
  /** Bytes of the whole frame. */
  readonly sizeBytes: number;
}

/**
 * Measures a record and writes its envelope. The heads of the tensors are put together here and not by JSON.stringify of
 * one object that holds all: that halves what a record of one row costs.
 */
export function prepareRecord(
  envelope: PredictionEnvelope,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
): EncodedRecord {
  let tensorBytes = 0;
  let text = `${JSON.stringify(envelope).slice(0, -1)},"inputs":[`;
  for (const [place, tensors] of [inputs, outputs].entries()) {
    if (place === 1) text += '],"outputs":[';
    for (const [index, tensor] of tensors.entries()) {
      const bytes = tensorByteLength(tensor);
      tensorBytes += bytes;
      text += `${index === 0 ? '' : ','}{"name":${quote(tensor.name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(',')}],"bytes":${bytes}}`;
    }
  }
  text += ']}';
  const envelopeBytes = Buffer.byteLength(text);
  return {
    envelope: text,
    envelopeBytes,
    tensors: outputs.length === 0 ? inputs : [...inputs, ...outputs],
    sizeBytes: frameHeaderBytes + bodyHeaderBytes + envelopeBytes + tensorBytes,
  };
}

const plainText = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const quote = (text: string): string => (plainText.test(text) ? `"${text}"` : JSON.stringify(text));

/** Writes one frame at `position`; `target` must have room for `record.sizeBytes`. Returns the position after it. */
export function writeFrame(target: Buffer, position: number, offset: number, record: EncodedRecord): number {
  const body = position + frameHeaderBytes;
  target.writeUInt32LE(record.sizeBytes - frameHeaderBytes, position);
  target.writeUInt32LE(offset % 0x1_0000_0000, body);
  target.writeUInt32LE(Math.floor(offset / 0x1_0000_0000), body + 4);
  target.writeUInt32LE(record.envelopeBytes, body + 8);
  let at = body + bodyHeaderBytes;
  at += target.write(record.envelope, at, 'utf8');
  for (const { data } of record.tensors) at = writeTensorData(target, at, data);
  target.writeUInt32LE(crc32c(target, body, at), position + 4);
  return at;
}

/** Encodes whole records from `firstOffset` on: what a segment of them would hold. */
export function encodeFrames(records: readonly PredictionRecord[], firstOffset: number): Buffer {
  const prepared = records.map(({ inputs, outputs, ...envelope }) => prepareRecord(envelope, inputs, outputs));
  const target = Buffer.allocUnsafe(prepared.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  let at = 0;
  for (const [index, record] of prepared.entries()) at = writeFrame(target, at, firstOffset + index, record);
  return target;
}

export type FrameProbe =
  | { readonly state: 'whole'; readonly offset: number; readonly end: number }
  | { readonly state: 'cut' | 'bad' | 'end' };

/** Looks at the frame at `position` without reading its content; `verify` checks the checksum too. */
export function probeFrame(bytes: Buffer, position: number, verify: boolean): FrameProbe {
  if (position === bytes.length) return { state: 'end' };
  if (bytes.length - position < frameHeaderBytes) return { state: 'cut' };
  const length = bytes.readUInt32LE(position);
  if (length < bodyHeaderBytes || length > maxFrameBytes) return { state: 'bad' };
  const body = position + frameHeaderBytes;
  const end = body + length;
  if (end > bytes.length) return { state: 'cut' };
  if (verify && crc32c(bytes, body, end) !== bytes.readUInt32LE(position + 4)) return { state: 'bad' };
  return { state: 'whole', offset: bytes.readUInt32LE(body) + bytes.readUInt32LE(body + 4) * 0x1_0000_0000, end };
}

export interface DecodedFrame {
  readonly offset: number;
  readonly record: PredictionRecord;
}

export interface DecodedFrames {
  readonly frames: readonly DecodedFrame[];
  /** Bytes of `frames`: what follows is cut or bad. */
  readonly readBytes: number;
  /** Why reading stopped; `end` is the good one. */
  readonly stopped: 'end' | 'cut' | 'bad';
}

/** Decodes frames from the start until the end or the first one that is not whole. Tensors are copies, aligned. */
export function decodeFrames(source: Uint8Array): DecodedFrames {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const frames: DecodedFrame[] = [];
  let at = 0;
  for (;;) {
    const probe = probeFrame(bytes, at, true);
    if (probe.state !== 'whole') return { frames, readBytes: at, stopped: probe.state };
    const record = findRecord(bytes, at + frameHeaderBytes, probe.end);
    if (record === undefined) return { frames, readBytes: at, stopped: 'bad' };
    frames.push({ offset: probe.offset, record });
    at = probe.end;
  }
}

type WireEnvelope = PredictionEnvelope & {
  readonly inputs: readonly TensorHeader[];
  readonly outputs: readonly TensorHeader[];
};

/** A checksum vouches for what was written, not for who wrote it: content of another form is damage too. */
function findRecord(bytes: Buffer, body: number, end: number): PredictionRecord | undefined {
  try {
    return readRecord(bytes, body, end);
  } catch {
    return undefined;
  }
}

function readRecord(bytes: Buffer, body: number, end: number): PredictionRecord | undefined {
  const start = body + bodyHeaderBytes;
  const tensorsAt = start + bytes.readUInt32LE(body + 8);
  if (tensorsAt > end) return undefined;
  const envelope = JSON.parse(bytes.toString('utf8', start, tensorsAt)) as WireEnvelope;
  let at = tensorsAt;
  const read = (header: TensorHeader): Tensor => {
    const data = readData(bytes, at, header);
    at += header.bytes;
    return { name: header.name, datatype: header.datatype, shape: header.shape, data };
  };
  const inputs = envelope.inputs.map(read);
  const outputs = envelope.outputs.map(read);
  return at === end ? { ...envelope, inputs, outputs } : undefined;
}

function readData(bytes: Buffer, position: number, { datatype, shape, bytes: size }: TensorHeader): TensorData {
  const count = elementCount(shape) ?? 0;
  if (datatype !== 'BYTES') {
    const copy = new ArrayBuffer(size);
    new Uint8Array(copy).set(bytes.subarray(position, position + size));
    return viewOf(datatype, copy, 0, size / elementWidths[datatype]);
  }
  const texts: string[] = [];
  for (let at = position; texts.length < count; ) {
    const length = bytes.readUInt32LE(at);
    texts.push(bytes.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return texts;
}
