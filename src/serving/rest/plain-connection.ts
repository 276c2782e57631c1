import type { Socket } from 'node:net';
import type { RequestMemory } from '../request-memory.ts';
import { type PlainHead, readPlainHead } from './plain-head.ts';
import { PlainResponse, type PlainSink } from './plain-response.ts';

export interface PlainDeps {
  readonly memory: RequestMemory;
  readonly draining: () => boolean;
  /** Whether such a request may be answered here. */
  readonly isWanted: (url: string) => boolean;
  readonly handle: (request: PlainRequest, response: PlainResponse) => void;
  /** The connection goes on in node:http. */
  readonly handOver: (socket: Socket) => void;
  /** The line of the time. */
  readonly dateLine: () => string;
}

/** A request whose body is there. */
export interface PlainRequest {
  readonly method: 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const headEnd = '\r\n\r\n';
/** Of a head; and of what is asked ahead of an answer, beyond which nothing is read until that is given. */
const maxHeadBytes = 8 * 1024;
/** Of what may lie here of a request that is not whole. */
const maxPartBytes = 64 * 1024;
/** As node:http has it here. */
export const keepAliveMs = 65_000;
const keepAliveLines = `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveMs / 1_000}\r\n`;
const lastLines = 'connection: close\r\n';

/**
 * A connection of a client that sends plain requests of predictions, one after the other: they are read, and answered, in a
 * third of the time that node:http takes. With the first that is anything else, too large or slow, the connection goes over
 * to node:http with all that was read of it, and stays there.
 */
export class PlainConnection implements PlainSink {
  /** When something last came or left. */
  activeMs = performance.now();
  private readonly socket: Socket;
  private readonly deps: PlainDeps;
  private readonly onGone: () => void;
  /** Bytes that are not answered yet, but for those of the request under way. */
  private rest: Buffer | undefined;
  /** Counted in memory: a request that is not whole, or what was asked ahead of an answer. */
  private partBytes = 0;
  private response: PlainResponse | undefined;
  private isFlushing = false;
  /** Most clients repeat themselves: the bytes of the last head, and what they said. */
  private lastBytes: Buffer | undefined;
  private lastHead: PlainHead | undefined;

  constructor(socket: Socket, deps: PlainDeps, onGone: () => void) {
    this.socket = socket;
    this.deps = deps;
    this.onGone = onGone;
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('close', this.onClose);
    socket.on('error', this.onError);
  }

  get isIdle(): boolean {
    return this.response === undefined && this.rest === undefined && !this.isFlushing;
  }

  /** Part of a request lies here, and nothing else is under way. */
  get isWaiting(): boolean {
    return this.partBytes > 0 && this.response === undefined && !this.isFlushing;
  }

  /** After what is on its way, whether or not the client closes its side. */
  end(): void {
    this.socket.off('data', this.onData);
    this.dropPart();
    this.rest = undefined;
    this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** From now on node:http reads. */
  leave(): void {
    const { socket, rest } = this;
    this.dropPart();
    this.rest = undefined;
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('close', this.onClose);
    socket.off('error', this.onError);
    socket.pause();
    if (rest !== undefined) socket.unshift(rest);
    this.onGone();
    this.deps.handOver(socket);
    socket.resume();
  }

  answer(head: string, body: string | Buffer, encoding: 'latin1' | 'utf8', isLast: boolean): void {
    const { socket, deps } = this;
    this.response = undefined;
    this.activeMs = performance.now();
    const isEnd = isLast || (this.rest === undefined && deps.draining()); // what came already is answered
    const lines = `${head}${deps.dateLine()}${isEnd ? lastLines : keepAliveLines}\r\n`;
    if (typeof body === 'string') socket.write(lines + body, encoding);
    else {
      socket.cork();
      socket.write(lines, 'latin1');
      socket.write(body);
      socket.uncork();
    }
    if (socket.writableLength > 0) this.waitForClient(socket.writableLength);
    if (isEnd) this.end();
    else if (!this.isFlushing && this.rest !== undefined) process.nextTick(this.next);
  }

  private readonly onData = (bytes: Buffer): void => {
    this.activeMs = performance.now();
    this.dropPart();
    this.rest = this.rest === undefined ? bytes : Buffer.concat([this.rest, bytes]);
    if (this.response === undefined && !this.isFlushing) return this.next();
    this.holdAhead(this.rest);
    if (this.rest.length > maxHeadBytes) this.socket.pause();
  };

  private readonly next = (): void => {
    const bytes = this.rest;
    if (bytes === undefined || this.response !== undefined || this.isFlushing) return;
    this.dropPart();
    const bodyAt = this.readHead(bytes);
    const head = this.lastHead;
    if (bodyAt === undefined || head === undefined) return this.leave();
    const end = bodyAt + head.bodyBytes;
    if (end > bytes.length) return this.keepPart(bytes, end);
    this.rest = end === bytes.length ? undefined : bytes.subarray(end);
    if (this.rest !== undefined) this.holdAhead(this.rest);
    if ((this.rest?.length ?? 0) <= maxHeadBytes) this.readOn();
    const response = new PlainResponse(this);
    this.response = response;
    this.deps.handle(
      { method: 'POST', url: head.url, headers: head.headers, body: bytes.subarray(bodyAt, end) },
      response,
    );
  };

  /** Where the body begins; undefined where the head is not plain, not whole, or of no route that is wanted. */
  private readHead(bytes: Buffer): number | undefined {
    const { lastBytes } = this;
    if (
      lastBytes !== undefined &&
      lastBytes.length <= bytes.length &&
      lastBytes.compare(bytes, 0, lastBytes.length) === 0
    )
      return lastBytes.length;
    const end = bytes.indexOf(headEnd, 0, 'latin1');
    if (end === -1 || end > maxHeadBytes) return undefined;
    const head = readPlainHead(bytes.toString('latin1', 0, end));
    if (head === undefined || !this.deps.isWanted(head.url)) return undefined;
    this.lastHead = head;
    this.lastBytes = Buffer.from(bytes.subarray(0, end + headEnd.length));
    return this.lastBytes.length;
  }

  /** Many clients send a body behind its head: it is waited for where it is small. */
  private keepPart(bytes: Buffer, end: number): void {
    if (end > maxPartBytes) return this.leave();
    try {
      this.deps.memory.take(bytes.length);
    } catch {
      return this.leave(); // node:http's side says it
    }
    this.partBytes = bytes.length;
    this.readOn();
  }

  private readOn(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  /** What a client asks ahead of its answers is there already. */
  private holdAhead(rest: Buffer): void {
    this.partBytes = rest.length;
    this.deps.memory.hold(rest.length);
  }

  private dropPart(): void {
    if (this.partBytes === 0) return;
    this.deps.memory.give(this.partBytes);
    this.partBytes = 0;
  }

  /** What the system did not take at once counts until the client has read it. */
  private waitForClient(bytes: number): void {
    const { memory } = this.deps;
    this.isFlushing = true;
    memory.hold(bytes);
    const unwatch = memory.watch(() => this.socket.destroy());
    this.socket.write('', () => {
      unwatch();
      memory.give(bytes);
      this.isFlushing = false;
      this.next();
    });
  }

  private readonly onClose = (): void => {
    this.dropPart();
    this.rest = undefined;
    this.response?.left();
    this.response = undefined;
    this.onGone();
  };

  /** A client that has closed its half waits for nothing, as node:http has it. */
  private readonly onEnd = (): void => void this.socket.destroy();

  private readonly onError = (): void => void this.socket.destroy();
}
