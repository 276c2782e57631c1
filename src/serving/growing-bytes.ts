import type { RequestMemory } from './request-memory.ts';

const none = Buffer.alloc(0);
/** More copies less, and lets who sends little hold much. */
const growth = 4;

/** Bytes that come in parts. Room is taken as they come, for four times as much at most, so that what is announced alone takes none. */
export class GrowingBytes {
  /** How many have come. */
  length = 0;
  private readonly memory: RequestMemory;
  private readonly most: number;
  private buffer: Buffer = none;
  private isClosed = false;

  /** `most` is how many come, or may come. */
  constructor(memory: RequestMemory, most: number) {
    this.memory = memory;
    this.most = most;
  }

  /** Copies them; SERVER_BUSY when there is no room. False: it was closed, to make that room. */
  append(bytes: Buffer, start: number, end: number): boolean {
    const length = this.length + end - start;
    if (length > this.buffer.length) this.grow(length);
    if (this.isClosed) return false;
    bytes.copy(this.buffer, this.length, start, end);
    this.length = length;
    return true;
  }

  /** All that has come. */
  get bytes(): Buffer {
    return this.length === this.buffer.length ? this.buffer : this.buffer.subarray(0, this.length);
  }

  /** The same when it is all: its bytes stay taken, for who gets it to give back. */
  whole(): Buffer {
    this.memory.give(this.buffer.length - this.length);
    return this.bytes;
  }

  /** Gives its room back. */
  close(): void {
    this.isClosed = true;
    this.memory.give(this.buffer.length);
    this.buffer = none;
  }

  private grow(length: number): void {
    const { buffer } = this;
    this.memory.give(buffer.length); // it may be all that is held: who is alone has room
    this.buffer = none;
    const size = this.room(length);
    if (this.isClosed) return this.memory.give(size);
    this.buffer = Buffer.allocUnsafeSlow(size);
    buffer.copy(this.buffer, 0, 0, this.length);
  }

  /** Takes it: more than is needed, where there is so much. */
  private room(length: number): number {
    const size = Math.max(length, Math.min(this.most, length * growth));
    try {
      this.memory.take(size);
      return size;
    } catch (error) {
      if (size === length) throw error;
      this.memory.take(length);
      return length;
    }
  }
}
