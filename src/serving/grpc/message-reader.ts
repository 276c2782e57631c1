import { GrowingBytes } from '../growing-bytes.ts';
import { initialWindow } from '../http2/frames.ts';
import type { Http2Stream } from '../http2/http2-stream.ts';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { grpcErrors } from './grpc-errors.ts';

/** Whether it is compressed, and its length, before each message. */
export const messageHeadBytes = 5;

export interface MessageTaker {
  /** A whole message, whose bytes are taken from memory; who is told gives them back. */
  message(bytes: Buffer, isPacked: boolean): void;
  /** Nothing more is read. */
  failed(error: Error): void;
}

/**
 * Cuts the body of a call into messages: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. When the length of
 * one is known it is refused if it is too long, or finds no room, and else its client may send so much and no more; the room
 * is taken as its bytes come. While it is paused it keeps what comes as it is: many short messages take far more than their bytes.
 */
export class MessageReader {
  private readonly stream: Pick<Http2Stream, 'allow'>;
  private readonly memory: RequestMemory;
  private readonly maxBytes: number;
  private readonly taker: MessageTaker;
  private head: Buffer | undefined;
  private headLength = 0;
  private message: GrowingBytes | undefined;
  /** Of the message. */
  private wanted = 0;
  private isPacked = false;
  private isPaused = false;
  /** What came while it was paused, and how much of that is read. */
  private kept: GrowingBytes | undefined;
  private keptRead = 0;
  private isReading = false;
  private isClosed = false;
  private unwatch: (() => void) | undefined;

  constructor(stream: Pick<Http2Stream, 'allow'>, memory: RequestMemory, maxBytes: number, taker: MessageTaker) {
    this.stream = stream;
    this.memory = memory;
    this.maxBytes = maxBytes;
    this.taker = taker;
  }

  /** Part of a message has come. */
  get isWithin(): boolean {
    return this.message !== undefined || this.headLength > 0;
  }

  /** Something has come that is not read. */
  get isBehind(): boolean {
    return this.kept !== undefined;
  }

  read(bytes: Buffer): void {
    const at = this.kept === undefined ? this.readFrom(bytes, 0) : 0;
    if (at < bytes.length && !this.isClosed) this.keep(bytes, at);
  }

  /** No message until it is resumed, but for the one that is coming. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    const { kept } = this;
    if (kept === undefined || this.isReading) return;
    this.keptRead = this.readFrom(kept.bytes, this.keptRead);
    if (this.keptRead < kept.length || this.isClosed) return;
    this.kept = undefined;
    this.keptRead = 0;
    kept.close();
  }

  /** Gives back what it has taken of messages that are not whole. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.unwatch?.();
    this.message?.close();
    this.kept?.close();
    this.message = this.kept = undefined;
  }

  /** How far it came. */
  private readFrom(bytes: Buffer, start: number): number {
    let at = start;
    this.isReading = true;
    while (at < bytes.length && !this.isClosed && !(this.isPaused && this.message === undefined))
      at = this.message === undefined ? this.readHead(bytes, at) : this.fill(this.message, bytes, at);
    this.isReading = false;
    return at;
  }

  private keep(bytes: Buffer, at: number): void {
    this.kept ??= new GrowingBytes(this.memory, initialWindow);
    this.append(this.kept, bytes, at, bytes.length);
  }

  private readHead(bytes: Buffer, at: number): number {
    if (this.headLength === 0 && bytes.length - at >= messageHeadBytes) return this.begin(bytes, at, bytes, at + 5);
    this.head ??= Buffer.allocUnsafe(messageHeadBytes);
    const count = Math.min(messageHeadBytes - this.headLength, bytes.length - at);
    bytes.copy(this.head, this.headLength, at, at + count);
    this.headLength += count;
    return this.headLength < messageHeadBytes ? at + count : this.begin(this.head, 0, bytes, at + count);
  }

  private begin(head: Buffer, headAt: number, bytes: Buffer, at: number): number {
    const length = head.readUInt32BE(headAt + 1);
    const flag = head[headAt] as number;
    this.headLength = 0;
    try {
      if (flag > 1) throw grpcErrors.MESSAGE_MALFORMED(`it begins with ${flag}, which says nothing`);
      if (length > this.maxBytes) throw servingErrors.BODY_TOO_LARGE(this.maxBytes);
      this.memory.take(length);
    } catch (error) {
      this.fail(error as Error);
      return bytes.length;
    }
    // to make room, this very call may have been cut
    if (this.isClosed) {
      this.memory.give(length);
      return bytes.length;
    }
    this.isPacked = flag === 1;
    if (bytes.length - at >= length) {
      this.taker.message(viewOf(bytes, at, length), this.isPacked);
      return at + length;
    }
    this.memory.give(length); // there is room; it is taken as bytes come
    this.message = new GrowingBytes(this.memory, length);
    this.wanted = length;
    this.unwatch = this.memory.watch(() => this.fail(servingErrors.BODY_TOO_SLOW()));
    const next = this.fill(this.message, bytes, at);
    if (!this.isClosed) this.stream.allow(length - this.message.length);
    return next;
  }

  private fill(message: GrowingBytes, bytes: Buffer, at: number): number {
    const end = Math.min(at + this.wanted - message.length, bytes.length);
    if (!this.append(message, bytes, at, end)) return bytes.length;
    if (message.length === this.wanted) {
      this.unwatch?.();
      this.unwatch = undefined;
      this.message = undefined;
      this.taker.message(message.whole(), this.isPacked);
    }
    return end;
  }

  private append(to: GrowingBytes, bytes: Buffer, start: number, end: number): boolean {
    try {
      return to.append(bytes, start, end);
    } catch (error) {
      this.fail(error as Error);
      return false;
    }
  }

  private fail(error: Error): void {
    this.close();
    this.taker.failed(error);
  }
}

/** A view, unless it would keep far more in memory than was taken for it. */
function viewOf(bytes: Buffer, at: number, length: number): Buffer {
  const view = bytes.subarray(at, at + length);
  const around = bytes.buffer.byteLength;
  return around > Buffer.poolSize && around > length * 4 ? Buffer.from(view) : view;
}
