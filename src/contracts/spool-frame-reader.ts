import type { PredictionRecord, RecordedTensor } from './prediction-record.ts';
import {
  aligned,
  bodyHeaderBytes,
  type Common,
  frameHeaderBytes,
  type Own,
  probeFrame,
  type TensorHead,
} from './spool-frame.ts';
import { type BytesElement, elementCount, elementWidths, type TensorData, viewOf } from './tensor.ts';
import { readElement } from './tensor-bytes.ts';

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

/** Reads frames one after the other. Tensors lie in `source`, where that is aligned: no copies. Returns where it stopped. */
export function* readFrames(source: Uint8Array): Generator<DecodedFrame, Omit<DecodedFrames, 'frames'>> {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const findCommon = createCommonReader(bytes);
  let at = 0;
  for (;;) {
    const probe = probeFrame(bytes, at, true);
    if (probe.state !== 'whole') return { readBytes: at, stopped: probe.state };
    const record = findRecord(bytes, at + frameHeaderBytes, probe.end, findCommon);
    if (record === undefined) return { readBytes: at, stopped: 'bad' };
    yield { offset: probe.offset, record };
    at = probe.end;
  }
}

type CommonReader = (start: number, end: number) => Common;

/** Mostly a record has the same as the one before it: that is compared, not read. */
function createCommonReader(bytes: Buffer): CommonReader {
  let last: { readonly start: number; readonly end: number; readonly common: Common } | undefined;
  return (start, end) => {
    if (last === undefined || bytes.compare(bytes, last.start, last.end, start, end) !== 0)
      last = { start, end, common: JSON.parse(bytes.toString('utf8', start, end)) as Common };
    return last.common;
  };
}

/** All frames from the start until the end or the first one that is not whole. */
export function decodeFrames(source: Uint8Array): DecodedFrames {
  const frames: DecodedFrame[] = [];
  const reader = readFrames(source);
  for (;;) {
    const { value, done } = reader.next();
    if (done === true) return { frames, ...value };
    frames.push(value);
  }
}

/** A checksum vouches for what was written, not for who wrote it: content of another form is damage too. */
function findRecord(bytes: Buffer, body: number, end: number, findCommon: CommonReader): PredictionRecord | undefined {
  try {
    return readRecord(bytes, body, end, findCommon);
  } catch {
    return undefined;
  }
}

function readRecord(bytes: Buffer, body: number, end: number, findCommon: CommonReader): PredictionRecord | undefined {
  const ownAt = body + bodyHeaderBytes + bytes.readUInt32LE(body + 8);
  const textEnd = ownAt + bytes.readUInt32LE(body + 12);
  if (textEnd > end) return undefined;
  const common = findCommon(body + bodyHeaderBytes, ownAt);
  const own = JSON.parse(bytes.toString('utf8', ownAt, textEnd)) as Own;
  const frame = body - frameHeaderBytes;
  let at = frame + aligned(textEnd - frame);
  const read = (head: TensorHead): RecordedTensor => {
    const { name, datatype, shape, withheld } = head;
    const data = readData(bytes, at, head);
    at += aligned(head.bytes);
    return withheld === undefined ? { name, datatype, shape, data } : { name, datatype, shape, data, withheld };
  };
  const inputs = common.inputs.map(read);
  const outputs = common.outputs.map(read);
  return at === end ? joinRecord(common, own, inputs, outputs) : undefined;
}

const none: never[] = [];

/** Field by field: spreading two objects of so many fields takes ten times as long. */
function joinRecord(
  common: Common,
  own: Own,
  inputs: readonly RecordedTensor[],
  outputs: readonly RecordedTensor[],
): PredictionRecord {
  const record: { -readonly [field in keyof PredictionRecord]: PredictionRecord[field] } = {
    version: common.version,
    predictionId: own.predictionId,
    requestId: own.requestId ?? own.predictionId,
    keys: own.keys ?? none,
    rows: common.rows,
    eventTimesMs: own.eventTimesMs ?? none,
    receivedAtMs: own.receivedAtMs,
    durationUs: own.durationUs,
    project: common.project,
    endpoint: common.endpoint,
    revision: common.revision,
    modelRef: common.modelRef,
    role: common.role,
    reason: common.reason,
    propensity: common.propensity,
    status: common.status,
    principal: common.principal,
    inputs,
    outputs,
  };
  if (common.redacted !== undefined) record.redacted = common.redacted;
  if (own.stagesUs !== undefined) record.stagesUs = own.stagesUs;
  if (own.error !== undefined) record.error = own.error;
  if (own.traceparent !== undefined) record.traceparent = own.traceparent;
  if (own.subject !== undefined) record.subject = own.subject;
  if (own.branches !== undefined) record.branches = own.branches;
  if (own.cached !== undefined) record.cached = own.cached;
  if (own.difference !== undefined) record.difference = own.difference;
  if (own.shadowOf !== undefined) record.shadowOf = own.shadowOf;
  return record;
}

function readData(bytes: Buffer, position: number, { datatype, shape, bytes: size }: TensorHead): TensorData {
  const count = elementCount(shape) ?? 0;
  if (datatype !== 'BYTES') {
    const width = elementWidths[datatype];
    if ((bytes.byteOffset + position) % width === 0)
      return viewOf(datatype, bytes.buffer, bytes.byteOffset + position, size / width);
    return viewOf(datatype, new Uint8Array(bytes.subarray(position, position + size)).buffer, 0, size / width);
  }
  const elements: BytesElement[] = [];
  for (let at = position; elements.length < count; ) {
    const length = bytes.readUInt32LE(at);
    elements.push(readElement(bytes, at + 4, at + 4 + length));
    at += 4 + length;
  }
  return elements;
}
