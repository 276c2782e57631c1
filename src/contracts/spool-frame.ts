import { crc32 } from 'node:zlib';
import type { PredictionEnvelope, PredictionRecord, RecordedTensor } from './prediction-record.ts';
import type { Datatype, Tensor } from './tensor.ts';
import { tensorByteLength, writeTensorData } from './tensor-bytes.ts';

/**
 * The frame of one prediction record, in spool segments, on the wire to the control plane and later in Kafka. All
 * integers are little-endian.
 *
 *   u32 length     bytes that follow the checksum; a multiple of 8
 *   u32 crc32      of those bytes, as zlib and RFC 1952 have it
 *   u64 offset     ordinal of the record in its epoch: 0, 1, 2 …
 *   u32 size       bytes of `common`
 *   u32 size       bytes of `own`
 *   common         JSON, UTF-8: what the records of one revision mostly have in common (`Common`), so that either side need
 *                  make or read it only when it changes
 *   own            JSON, UTF-8: the rest of the envelope; without `requestId` where that is the `predictionId`, and without
 *                  `keys` and `eventTimesMs` that are empty
 *   tensors        the data of the inputs in the order of their heads, then of the outputs; row-major, each from a multiple of
 *                  8 of the frame on, zeros between; what a head calls withheld is no value. BOOL one byte an element; BYTES each element as u32 length and its bytes
 *
 * A segment or a delivery is frames back to back. A frame whose length runs past the end is `cut` (it may still be being
 * written); one whose checksum or content does not fit is `bad`.
 */
export const frameHeaderBytes = 8;
export const bodyHeaderBytes = 16;
/** No frame is longer: a length above this is damage, not data. */
export const maxFrameBytes = 256 * 1024 * 1024;

export interface TensorHead {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly withheld?: readonly number[];
}

export interface Common
  extends Pick<
    PredictionEnvelope,
    | 'version'
    | 'project'
    | 'endpoint'
    | 'revision'
    | 'modelRef'
    | 'role'
    | 'reason'
    | 'propensity'
    | 'status'
    | 'principal'
    | 'rows'
    | 'redacted'
  > {
  readonly inputs: readonly TensorHead[];
  readonly outputs: readonly TensorHead[];
}
export type Own = Omit<PredictionEnvelope, keyof Common | 'requestId' | 'keys' | 'eventTimesMs'> &
  Partial<Pick<PredictionEnvelope, 'requestId' | 'keys' | 'eventTimesMs'>>;

/** A record made ready to be framed: all but its offset, which is known when it is written. */
export interface EncodedRecord {
  readonly common: Uint8Array;
  readonly own: string;
  readonly ownBytes: number;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Bytes of the whole frame. */
  readonly sizeBytes: number;
}

/** The next multiple of 8. */
export const aligned = (bytes: number): number => (bytes + 7) & ~7;

/** Measures a record and writes its envelope. */
export function prepareRecord(
  envelope: PredictionEnvelope,
  inputs: readonly RecordedTensor[],
  outputs: readonly RecordedTensor[],
): EncodedRecord {
  const { bytes: common, tensorBytes } = commonOf(envelope, inputs, outputs);
  const own = printOwn(envelope);
  const ownBytes = Buffer.byteLength(own);
  const textBytes = aligned(frameHeaderBytes + bodyHeaderBytes + common.length + ownBytes);
  return { common, own, ownBytes, inputs, outputs, sizeBytes: textBytes + tensorBytes };
}

interface WrittenCommon {
  readonly common: Common;
  readonly bytes: Uint8Array;
  /** Of all tensors, with what fills up behind each. */
  readonly tensorBytes: number;
}

const maxRemembered = 1_000;
/** By revision, as its last record had it. */
const written = new Map<string, WrittenCommon>();

function commonOf(
  envelope: PredictionEnvelope,
  inputs: readonly RecordedTensor[],
  outputs: readonly RecordedTensor[],
): WrittenCommon {
  const last = written.get(envelope.revision);
  if (last !== undefined && isSame(last.common, envelope, inputs, outputs)) return last;
  const { version, project, endpoint, revision, modelRef, role, reason, propensity, status, principal } = envelope;
  const { rows, redacted } = envelope;
  const common: Common = {
    version,
    project,
    endpoint,
    revision,
    modelRef,
    role,
    reason,
    propensity,
    status,
    principal,
    rows,
    ...(redacted !== undefined && { redacted }),
    inputs: inputs.map(toHead),
    outputs: outputs.map(toHead),
  };
  const tensorBytes = [...common.inputs, ...common.outputs].reduce((sum, { bytes }) => sum + aligned(bytes), 0);
  const made = { common, bytes: Buffer.from(JSON.stringify(common)), tensorBytes };
  if (written.size >= maxRemembered) written.clear();
  written.set(envelope.revision, made);
  return made;
}

/** Field by field: a loop over their names takes six times as long, once a request. */
function isSame(
  a: Common,
  b: PredictionEnvelope,
  inputs: readonly RecordedTensor[],
  outputs: readonly RecordedTensor[],
): boolean {
  return (
    a.version === b.version &&
    a.project === b.project &&
    a.endpoint === b.endpoint &&
    a.revision === b.revision &&
    a.modelRef === b.modelRef &&
    a.role === b.role &&
    a.reason === b.reason &&
    a.propensity === b.propensity &&
    a.status === b.status &&
    a.principal === b.principal &&
    a.rows === b.rows &&
    a.redacted === b.redacted &&
    areHeadsOf(a.inputs, inputs) &&
    areHeadsOf(a.outputs, outputs)
  );
}

function areHeadsOf(heads: readonly TensorHead[], tensors: readonly RecordedTensor[]): boolean {
  if (heads.length !== tensors.length) return false;
  for (let at = 0; at < heads.length; at += 1) {
    const head = heads[at] as TensorHead;
    const tensor = tensors[at] as RecordedTensor;
    if (head.name !== tensor.name || head.datatype !== tensor.datatype) return false;
    if (head.withheld !== tensor.withheld) return false;
    if (head.bytes !== tensorByteLength(tensor) || head.shape.length !== tensor.shape.length) return false;
    for (let place = 0; place < head.shape.length; place += 1)
      if (head.shape[place] !== tensor.shape[place]) return false;
  }
  return true;
}

const toHead = (tensor: RecordedTensor): TensorHead => ({
  name: tensor.name,
  datatype: tensor.datatype,
  shape: [...tensor.shape],
  bytes: tensorByteLength(tensor),
  ...(tensor.withheld !== undefined && { withheld: tensor.withheld }),
});

const plainText = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const quote = (text: string): string => (plainText.test(text) ? `"${text}"` : JSON.stringify(text));

/** Put together by hand: JSON.stringify takes twice the time for what most records have. */
function printOwn(envelope: PredictionEnvelope): string {
  const { predictionId, requestId, keys, eventTimesMs, receivedAtMs, durationUs, stagesUs } = envelope;
  const { error, traceparent, subject, branches, cached, difference, shadowOf } = envelope;
  let text = `{"predictionId":${quote(predictionId)},"receivedAtMs":${receivedAtMs},"durationUs":${durationUs}`;
  if (requestId !== predictionId) text += `,"requestId":${quote(requestId)}`;
  if (keys.length > 0) text += `,"keys":${JSON.stringify(keys)}`;
  if (eventTimesMs.length > 0) text += `,"eventTimesMs":[${eventTimesMs.join(',')}]`;
  if (stagesUs !== undefined) {
    const { input, queue, infer, output } = stagesUs;
    text += `,"stagesUs":{"input":${input},"queue":${queue},"infer":${infer},"output":${output}}`;
  }
  if (error !== undefined) text += `,"error":${quote(error)}`;
  if (traceparent !== undefined) text += `,"traceparent":${quote(traceparent)}`;
  if (subject !== undefined) text += `,"subject":${JSON.stringify(subject)}`;
  if (branches !== undefined) text += `,"branches":${JSON.stringify(branches)}`;
  if (cached !== undefined) text += `,"cached":${cached}`;
  if (difference !== undefined) text += `,"difference":${JSON.stringify(difference)}`;
  if (shadowOf !== undefined) text += `,"shadowOf":${quote(shadowOf)}`;
  return `${text}}`;
}

/** Writes one frame at `position`; `target` must have room for `record.sizeBytes`. Returns the position after it. */
export function writeFrame(target: Buffer, position: number, offset: number, record: EncodedRecord): number {
  const { common, own, ownBytes, inputs, outputs, sizeBytes } = record;
  const body = position + frameHeaderBytes;
  target.writeUInt32LE(sizeBytes - frameHeaderBytes, position);
  target.writeUInt32LE(offset % 0x1_0000_0000, body);
  target.writeUInt32LE(Math.floor(offset / 0x1_0000_0000), body + 4);
  target.writeUInt32LE(common.length, body + 8);
  target.writeUInt32LE(ownBytes, body + 12);
  let at = body + bodyHeaderBytes;
  target.set(common, at);
  at += common.length;
  // ASCII, as it mostly is, is copied as it lies
  at = fillUp(target, position, at + target.write(own, at, ownBytes === own.length ? 'latin1' : 'utf8'));
  for (const { data } of inputs) at = fillUp(target, position, writeTensorData(target, at, data));
  for (const { data } of outputs) at = fillUp(target, position, writeTensorData(target, at, data));
  target.writeUInt32LE(crc32(target.subarray(body, at)), position + 4);
  return at;
}

/** Zeros up to the next multiple of 8 of the frame; where that is. */
function fillUp(target: Buffer, frame: number, at: number): number {
  const end = frame + aligned(at - frame);
  for (let place = at; place < end; place += 1) target[place] = 0;
  return end;
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
  if (verify && crc32(bytes.subarray(body, end)) !== bytes.readUInt32LE(position + 4)) return { state: 'bad' };
  return { state: 'whole', offset: bytes.readUInt32LE(body) + bytes.readUInt32LE(body + 4) * 0x1_0000_0000, end };
}
