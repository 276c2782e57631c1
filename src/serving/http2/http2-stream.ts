import type { RequestMemory } from '../request-memory.ts';
import type { FrameWriter } from './frame-writer.ts';
import { flags, frameTypes, initialWindow } from './frames.ts';
import { type ErrorCode, errorCodes } from './http2-error.ts';

/** Of one connection; who sends a stream waits then. */
const muchUnread = 256 * 1024;

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly writer: FrameWriter;
  readonly memory: RequestMemory;
  /** How much may be sent on all streams together. */
  sendWindow: number;
  readonly maxFrameBytes: number;
  /** It waits for the window of all. */
  blocked(stream: Http2Stream): void;
  /** Its owner waits until what was sent has left. */
  draining(stream: Http2Stream): void;
  /** Both sides have said all. */
  finished(stream: Http2Stream): void;
  /** Its owner is done with it. */
  released(): void;
}

/** Who reads the body of a request. */
export interface StreamReader {
  /** Part of it: a view of what was read, to be copied by who keeps it for long. */
  data(bytes: Buffer): void;
  finished(): void;
  /** The client gave it up, or its connection is gone. */
  cancelled(): void;
}

/** One request and its answer, on the side of the server (RFC 9113, section 5). */
export class Http2Stream {
  readonly id: number;
  reader: StreamReader | undefined;
  sendWindow: number;
  receiveWindow = initialWindow;
  /** The client has said all. */
  isEnded = false;
  /** Its connection. */
  readonly host: StreamHost;
  private isOver = false;
  private isReleased = false;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private trailers: Buffer | undefined;
  private unwatch: (() => void) | undefined;
  private drained: (() => void) | undefined;

  constructor(id: number, sendWindow: number, host: StreamHost) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.host = host;
  }

  /** The header block of the answer. `isLast`: there is nothing but it. */
  respond(block: Buffer, isLast = false): void {
    if (this.isOver) return;
    this.host.writer.headers(flags.END_HEADERS | (isLast ? flags.END_STREAM : 0), this.id, block);
    if (isLast) this.finish();
  }

  /** Part of the answer's body, which leaves as the client has windows for it. */
  write(payload: Buffer): void {
    if (this.isOver) return;
    const { host } = this;
    host.memory.hold(payload.length);
    if (this.waitingBytes === 0 && payload.length <= Math.min(this.sendWindow, host.sendWindow, host.maxFrameBytes)) {
      this.sendWindow -= payload.length;
      host.sendWindow -= payload.length;
      host.writer.data(this.id, payload);
      return;
    }
    this.waiting.push(payload);
    this.waitingBytes += payload.length;
    this.pump();
  }

  /** Ends the answer, when all of it has left. */
  end(trailers: Buffer): void {
    if (this.isOver || this.trailers !== undefined) return;
    this.trailers = trailers;
    if (this.waitingBytes === 0) this.sendTrailers();
  }

  reset(code: ErrorCode): void {
    if (this.isOver) return;
    this.host.writer.numberFrame(frameTypes.RST_STREAM, this.id, code);
    this.over();
    this.host.finished(this);
  }

  /** Part of the request's body, or the last of it. */
  take(bytes: Buffer, isLast: boolean): void {
    if (isLast) this.isEnded = true; // so that nobody waits for what does not come
    this.reader?.data(bytes);
  }

  /** The client has said all. */
  endRequest(): void {
    this.isEnded = true;
    this.reader?.finished();
  }

  /** Lets the client send so many bytes more without waiting. */
  allow(bytes: number): void {
    const more = bytes - this.receiveWindow;
    if (more <= 0 || this.isEnded || this.isOver) return;
    this.receiveWindow += more;
    this.host.writer.numberFrame(frameTypes.WINDOW_UPDATE, this.id, more);
  }

  /** The client has little to take of what was written. */
  get isDrained(): boolean {
    return this.isOver || (this.waitingBytes === 0 && this.host.writer.unreadBytes < muchUnread);
  }

  /** Calls back when it is drained, or over. */
  onceDrained(done: () => void): void {
    if (this.isDrained) return done();
    this.drained = done;
    this.host.draining(this);
  }

  /** Something has left; true: who waited for it was told. */
  tellDrained(): boolean {
    if (!this.isDrained) return false;
    const { drained } = this;
    this.drained = undefined;
    drained?.();
    return true;
  }

  /** What may go, goes. */
  pump(): void {
    const { host } = this;
    while (this.waitingBytes > 0) {
      const most = Math.min(this.sendWindow, host.sendWindow, host.maxFrameBytes);
      if (most <= 0) break;
      const first = this.waiting[0] as Buffer;
      const part = first.length <= most ? first : first.subarray(0, most);
      if (part === first) this.waiting.shift();
      else this.waiting[0] = first.subarray(most);
      this.waitingBytes -= part.length;
      this.sendWindow -= part.length;
      host.sendWindow -= part.length;
      host.writer.data(this.id, part);
    }
    if (this.waitingBytes > 0) {
      this.unwatch ??= host.memory.watch(() => this.reset(errorCodes.CANCEL));
      if (host.sendWindow <= 0) host.blocked(this);
      return;
    }
    this.unwatch?.();
    this.unwatch = undefined;
    if (this.trailers !== undefined) this.sendTrailers();
  }

  /** The client, or the connection, has ended it. */
  abort(): void {
    if (this.isOver) return;
    this.over();
  }

  /** Who reads and answers it does nothing for it any more: until then it counts as one of those that run. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.host.released();
  }

  private sendTrailers(): void {
    this.host.writer.headers(flags.END_HEADERS | flags.END_STREAM, this.id, this.trailers ?? Buffer.alloc(0));
    this.finish();
  }

  private finish(): void {
    // what is still to come from the client is not wanted (RFC 9113, 8.1)
    if (!this.isEnded) this.host.writer.numberFrame(frameTypes.RST_STREAM, this.id, errorCodes.NO_ERROR);
    this.isOver = true;
    this.tellDrained();
    this.host.finished(this);
  }

  private over(): void {
    this.isOver = true;
    this.unwatch?.();
    this.host.memory.give(this.waitingBytes);
    this.waiting = [];
    this.waitingBytes = 0;
    this.tellDrained();
    this.reader?.cancelled();
  }
}
