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
 * Cuts the body of a call into messages: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. The room for one is
 * taken when its length is known, and the client may send no more than that, so a message that is too long, or finds no
 * room, is refused before it comes.
 */
export class MessageReader {
  private readonly stream: Pick<Http2Stream, 'allow'>;
  private readonly memory: RequestMemory;
  private readonly maxBytes: number;
  private readonly taker: MessageTaker;
  private head: Buffer | undefined;
  private headLength = 0;
  private message: Buffer | undefined;
  private filled = 0;
  private isPacked = false;
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

  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.isClosed)
      at = this.message === undefined ? this.readHead(bytes, at) : this.fill(this.message, bytes, at);
  }

  /** Gives back what a message that is not whole has taken. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.unwatch?.();
    if (this.message !== undefined) this.memory.give(this.message.length);
    this.message = undefined;
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
      this.close();
      this.taker.failed(error as Error);
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
    this.message = Buffer.allocUnsafeSlow(length);
    this.filled = 0;
    const next = this.fill(this.message, bytes, at);
    this.stream.allow(length - this.filled);
    this.unwatch = this.memory.watch(() => {
      this.close();
      this.taker.failed(servingErrors.BODY_TOO_SLOW());
    });
    return next;
  }

  private fill(message: Buffer, bytes: Buffer, at: number): number {
    const count = Math.min(message.length - this.filled, bytes.length - at);
    bytes.copy(message, this.filled, at, at + count);
    this.filled += count;
    if (this.filled === message.length) {
      this.unwatch?.();
      this.unwatch = undefined;
      this.message = undefined;
      this.taker.message(message, this.isPacked);
    }
    return at + count;
  }
}

/** A view, unless it would keep far more in memory than was taken for it. */
function viewOf(bytes: Buffer, at: number, length: number): Buffer {
  const view = bytes.subarray(at, at + length);
  const around = bytes.buffer.byteLength;
  return around > Buffer.poolSize && around > length * 4 ? Buffer.from(view) : view;
}
