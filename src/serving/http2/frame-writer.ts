import type { Socket } from 'node:net';
import type { RequestMemory } from '../request-memory.ts';
import { frameHeadBytes, frameTypes, writeFrameHead } from './frames.ts';

const slabBytes = 16_384;
/** A change of the size of the table, to 0 (RFC 7541, 6.3). */
const emptyTable = Buffer.of(0x20);
/** Payloads from here on are sent from where they are; smaller ones are copied together. */
const largeBytes = 4_096;
/** All but bodies since something has left last; who makes us say more and reads nothing wants to fill our memory. */
const maxUnreadBytes = 1024 ** 2;

/**
 * Frames on their way to one socket: those of one turn of the event loop leave in one write. Payloads count as memory of
 * requests until the system has taken them, and a client that does not read may be cut to make room.
 */
export class FrameWriter {
  private readonly socket: Socket;
  private readonly memory: RequestMemory;
  /** Something has left: whoever waits may go on. */
  private readonly onFlushed: () => void;
  private slab = Buffer.allocUnsafeSlow(0);
  /** From here the slab is not in `ready` yet. */
  private sealed = 0;
  private length = 0;
  private ready: Buffer[] = [];
  private isPlanned = false;
  /** Payloads in `ready` and the slab. */
  private held = 0;
  /** Payloads of each write that the system has not taken, and all together. */
  private readonly leaving: number[] = [];
  private leavingBytes = 0;
  private unwatch: (() => void) | undefined;
  private unreadRest = 0;
  private isClosed = false;
  /** The client keeps less of a table than RFC 7541 begins with: the next header block says that we use none. */
  mustShrinkTable = false;

  constructor(socket: Socket, memory: RequestMemory, onFlushed: () => void) {
    this.socket = socket;
    this.memory = memory;
    this.onFlushed = onFlushed;
  }

  /** Payloads that the client has yet to take. */
  get unreadBytes(): number {
    return this.held + this.leavingBytes;
  }

  /** A frame of something that is small. */
  frame(type: number, flagBits: number, stream: number, payload: Buffer): void {
    if (type !== frameTypes.DATA) this.unreadRest += payload.length;
    const at = this.reserve(frameHeadBytes + payload.length);
    this.slab.set(payload, writeFrameHead(this.slab, at, payload.length, type, flagBits, stream));
  }

  /** A header block of an answer. */
  headers(flagBits: number, stream: number, block: Buffer): void {
    const isFirst = this.mustShrinkTable;
    this.mustShrinkTable = false;
    this.frame(frameTypes.HEADERS, flagBits, stream, isFirst ? Buffer.concat([emptyTable, block]) : block);
  }

  /** A frame of one number. */
  numberFrame(type: number, stream: number, value: number): void {
    const at = this.reserve(frameHeadBytes + 4);
    this.slab.writeUInt32BE(value, writeFrameHead(this.slab, at, 4, type, 0, stream));
  }

  /** Part of a body, which counts as held already. */
  data(stream: number, payload: Buffer): void {
    this.held += payload.length;
    if (payload.length < largeBytes) return this.frame(frameTypes.DATA, 0, stream, payload);
    const at = this.reserve(frameHeadBytes);
    writeFrameHead(this.slab, at, payload.length, frameTypes.DATA, 0, stream);
    this.seal();
    this.ready.push(payload);
  }

  readonly flush = (): void => {
    this.isPlanned = false;
    if (this.isClosed) return;
    this.seal();
    const { ready } = this;
    if (ready.length === 0) return;
    this.ready = [];
    this.leaving.push(this.held);
    this.leavingBytes += this.held;
    this.held = 0;
    if (ready.length === 1) this.socket.write(ready[0] as Buffer, this.left);
    else {
      this.socket.cork();
      ready.forEach((part, index) => void this.socket.write(part, index === ready.length - 1 ? this.left : undefined));
      this.socket.uncork();
    }
    if (this.socket.writableLength > 0) this.unwatch ??= this.memory.watch(() => this.socket.destroy());
  };

  /** Nothing more will leave: all that is held is given back. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.unwatch?.();
    this.memory.give(this.unreadBytes);
    this.held = this.leavingBytes = 0;
    this.ready = [];
  }

  private readonly left = (): void => {
    if (this.isClosed) return;
    this.unreadRest = 0;
    const bytes = this.leaving.shift() ?? 0;
    this.leavingBytes -= bytes;
    this.memory.give(bytes);
    // it reads: its time counts from here
    this.unwatch?.();
    this.unwatch = this.socket.writableLength > 0 ? this.memory.watch(() => this.socket.destroy()) : undefined;
    this.onFlushed();
  };

  private reserve(bytes: number): number {
    this.unreadRest += frameHeadBytes;
    if (this.unreadRest > maxUnreadBytes) this.socket.destroy();
    if (this.slab.length - this.length < bytes) {
      this.seal();
      this.slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
      this.sealed = this.length = 0;
    }
    const at = this.length;
    this.length += bytes;
    if (!this.isPlanned) {
      this.isPlanned = true;
      process.nextTick(this.flush); // after all answers that are settled by now
    }
    return at;
  }

  private seal(): void {
    if (this.sealed === this.length) return;
    this.ready.push(this.slab.subarray(this.sealed, this.length));
    this.sealed = this.length;
  }
}
