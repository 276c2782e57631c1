import { flags, frameHeadBytes, frameTypes, preface, readUint24, readUint31, usualFrameBytes } from './frames.ts';
import { errorCodes, Http2Error } from './http2-error.ts';

/** Who takes a body: the stream that it belongs to. */
export interface BodyTaker {
  take(bytes: Buffer, isLast: boolean): void;
  endRequest(): void;
}

export interface FrameTaker {
  /** A frame of DATA has begun, of so many bytes with their padding, and that alone. Undefined: nobody takes it. */
  beginData(id: number, length: number, padding: number): BodyTaker | undefined;
  /** A header block, whole, from `start` to `end`. */
  headers(id: number, isLast: boolean, block: Buffer, start: number, end: number): void;
  /** Any other frame; its payload is a view. */
  frame(type: number, flagBits: number, id: number, payload: Buffer): void;
}

/** Frames of one header block; more are an attack. */
const maxContinuations = 32;
const nothing = Buffer.alloc(0);

/** Cuts what comes on a connection into frames (RFC 9113, 4 and 6). Bodies are passed on as they come, in parts. */
export class FrameReader {
  private readonly taker: FrameTaker;
  private readonly maxBlockBytes: number;
  private prefaceLeft = preface.length;
  private isFirstFrame = true;
  /** What came of a frame that is not whole yet. */
  private rest: Buffer = nothing;
  private data: { readonly taker: BodyTaker | undefined; left: number; padding: number; isLast: boolean } | undefined;
  private block:
    | { readonly id: number; readonly flagBits: number; readonly parts: Buffer[]; bytes: number }
    | undefined;
  private isClosed = false;

  constructor(taker: FrameTaker, maxBlockBytes: number) {
    this.taker = taker;
    this.maxBlockBytes = maxBlockBytes;
  }

  /** The client has said that it speaks HTTP/2. */
  get isGreeted(): boolean {
    return this.prefaceLeft === 0;
  }

  /** Nothing more is read. */
  close(): void {
    this.isClosed = true;
    this.rest = nothing;
  }

  /** Throws Http2Error for what ends the connection. */
  read(more: Buffer): void {
    const bytes = this.rest.length === 0 ? more : Buffer.concat([this.rest, more]);
    let at = this.readPreface(bytes);
    while (at < bytes.length && !this.isClosed) {
      if (this.data !== undefined) {
        at = this.readData(bytes, at);
        continue;
      }
      if (bytes.length - at < frameHeadBytes) break;
      const length = readUint24(bytes, at);
      if (length > usualFrameBytes) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
      const type = bytes[at + 3] as number;
      const id = readUint31(bytes, at + 5);
      const flagBits = bytes[at + 4] as number;
      this.checkOrder(type, flagBits, id);
      if (type === frameTypes.DATA) {
        // the byte that says how much padding there is comes with the head
        if ((flagBits & flags.PADDED) !== 0 && length > 0 && bytes.length - at < frameHeadBytes + 1) break;
        at = this.beginData(bytes, at, length, flagBits, id);
        continue;
      }
      const end = at + frameHeadBytes + length;
      if (end > bytes.length) break;
      this.readFrame(type, flagBits, id, bytes.subarray(at + frameHeadBytes, end));
      at = end;
    }
    // copied, so that a few bytes do not keep all that came with them
    this.rest = at < bytes.length && !this.isClosed ? Buffer.from(bytes.subarray(at)) : nothing;
  }

  private readPreface(bytes: Buffer): number {
    if (this.prefaceLeft === 0) return 0;
    const count = Math.min(this.prefaceLeft, bytes.length);
    const from = preface.length - this.prefaceLeft;
    if (preface.compare(bytes, 0, count, from, from + count) !== 0)
      throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'not HTTP/2');
    this.prefaceLeft -= count;
    return count;
  }

  private checkOrder(type: number, flagBits: number, id: number): void {
    if (this.isFirstFrame && (type !== frameTypes.SETTINGS || (flagBits & flags.ACK) !== 0))
      throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'the first frame says no settings');
    this.isFirstFrame = false;
    if (this.block !== undefined && (type !== frameTypes.CONTINUATION || id !== this.block.id))
      throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'something comes within a header block');
  }

  private readFrame(type: number, flagBits: number, id: number, payload: Buffer): void {
    if (type === frameTypes.HEADERS) this.readHeaders(flagBits, id, payload);
    else if (type === frameTypes.CONTINUATION) this.readContinuation(flagBits, payload);
    else this.taker.frame(type, flagBits, id, payload);
  }

  private beginData(bytes: Buffer, start: number, length: number, flagBits: number, id: number): number {
    needsStream(id);
    let at = start + frameHeadBytes;
    let left = length;
    let padding = 0;
    if ((flagBits & flags.PADDED) !== 0) {
      padding = length === 0 ? 0 : (bytes[at] ?? 0);
      if (padding >= length) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'more padding than frame');
      left -= padding + 1;
      at += 1;
    }
    this.data = {
      taker: this.taker.beginData(id, length, length - left),
      left,
      padding,
      isLast: (flagBits & flags.END_STREAM) !== 0,
    };
    if (left === 0 && padding === 0) this.endData();
    return at;
  }

  private readData(bytes: Buffer, start: number): number {
    const data = this.data;
    if (data === undefined) return start;
    let at = start;
    if (data.left > 0) {
      const count = Math.min(data.left, bytes.length - at);
      data.left -= count;
      data.taker?.take(bytes.subarray(at, at + count), data.isLast && data.left === 0);
      at += count;
    }
    if (data.left === 0) {
      const skipped = Math.min(data.padding, bytes.length - at);
      data.padding -= skipped;
      at += skipped;
      if (data.padding === 0) this.endData();
    }
    return at;
  }

  private endData(): void {
    const { taker, isLast } = this.data ?? {};
    this.data = undefined;
    if (isLast === true) taker?.endRequest();
  }

  private readHeaders(flagBits: number, id: number, payload: Buffer): void {
    needsStream(id);
    let start = 0;
    let end = payload.length;
    if ((flagBits & flags.PADDED) !== 0) {
      end -= payload[0] ?? 0;
      start += 1;
    }
    if ((flagBits & flags.PRIORITY) !== 0) {
      if (payload.length >= start + 4 && readUint31(payload, start) === id)
        throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'depends on itself');
      start += 5;
    }
    if (start > end) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'more padding than frame');
    if ((flagBits & flags.END_HEADERS) !== 0)
      return this.taker.headers(id, (flagBits & flags.END_STREAM) !== 0, payload, start, end);
    this.block = { id, flagBits, parts: [Buffer.from(payload.subarray(start, end))], bytes: end - start };
  }

  private readContinuation(flagBits: number, payload: Buffer): void {
    const { block } = this;
    if (block === undefined) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'goes on with nothing');
    block.parts.push(Buffer.from(payload));
    block.bytes += payload.length;
    if (block.bytes > this.maxBlockBytes || block.parts.length > maxContinuations)
      throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, 'a header block without end');
    if ((flagBits & flags.END_HEADERS) === 0) return;
    this.block = undefined;
    this.taker.headers(block.id, (block.flagBits & flags.END_STREAM) !== 0, Buffer.concat(block.parts), 0, block.bytes);
  }
}

export function needsStream(id: number): void {
  if (id === 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a frame of a stream on none');
}
