import type { Logger } from '#platform/log';
import { initialWindow } from '../http2/frames.ts';
import type { Http2Stream, StreamReader } from '../http2/http2-stream.ts';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { answerHeaders, answerTrailers, failureAlone, failureTrailers } from './answer-headers.ts';
import type { CallFields } from './call-fields.ts';
import type { GrpcCaller } from './grpc-caller.ts';
import { grpcErrors } from './grpc-errors.ts';
import { toStatus } from './grpc-status.ts';
import { MessageReader, type MessageTaker, messageHeadBytes } from './message-reader.ts';
import { type CallStatus, type Names, status } from './status-codes.ts';
import { unpackMessage } from './unpack-message.ts';

export interface UnaryAnswer {
  readonly message: Buffer;
  readonly names?: Names;
}
/** One message, one answer; what it throws is the status. */
export type UnaryHandler = (request: Buffer, call: GrpcCall) => UnaryAnswer | Promise<UnaryAnswer>;

/** What a call of many messages hears. */
export interface Conversation {
  /** The memory of a message is the handler's, by `call.release`. */
  message(bytes: Buffer): void;
  end(): void;
  /** The next message cannot be taken, and none will come; default: the call fails by that at once. */
  failed?(error: unknown): void;
}
export type StreamHandler = (call: GrpcCall) => Conversation;
export type GrpcMethod = { readonly unary: UnaryHandler } | { readonly stream: StreamHandler };

export interface CallDeps {
  readonly memory: RequestMemory;
  readonly logger: Logger;
  readonly maxMessageBytes: number;
}

/** Small ones are copied behind their heads, so that they leave in one frame. */
const smallBytes = 4_096;
const nothing = Buffer.alloc(0);

/** One call of a client, from its headers to its status. */
export class GrpcCall implements GrpcCaller, StreamReader, MessageTaker {
  readonly headers: GrpcCaller['headers'];
  /** When the client waits no longer, on the scale of performance.now(). */
  readonly deadlineMs: number | undefined;
  private readonly stream: Http2Stream;
  private readonly fields: CallFields;
  private readonly method: GrpcMethod;
  private readonly deps: CallDeps;
  private readonly reader: MessageReader;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly conversation: Conversation | undefined;
  /** Of a call with one message: that message. */
  private request: Buffer | undefined;
  private unwatch: (() => void) | undefined;
  private isPaused = false;
  private isUnpacking = false;
  private isEnded = false;
  /** Messages that their handler has, or that are unpacked for it. */
  private running = 0;
  private isBegun = false;
  private endedWith: number | undefined;
  private listeners: ((code: number) => void)[] | undefined;

  constructor(stream: Http2Stream, fields: CallFields, method: GrpcMethod, deps: CallDeps) {
    this.stream = stream;
    this.fields = fields;
    this.headers = fields;
    this.method = method;
    this.deps = deps;
    this.reader = new MessageReader(stream, deps.memory, deps.maxMessageBytes, this);
    this.deadlineMs = fields.timeoutMs === undefined ? undefined : performance.now() + fields.timeoutMs;
    if (fields.timeoutMs !== undefined) this.timer = setTimeout(expire, coarse(fields.timeoutMs), this);
    if ('stream' in method) this.conversation = method.stream(this);
  }

  header(name: string): string | undefined {
    return this.fields.find(name);
  }

  /** The client waits for nothing more. */
  get aborted(): boolean {
    return this.endedWith === status.CANCELLED || this.endedWith === status.DEADLINE_EXCEEDED;
  }

  /** Hears the status by which the call has ended, once, at the end or now. */
  onOver(listener: (code: number) => void): void {
    if (this.endedWith === undefined) (this.listeners ??= []).push(listener);
    else listener(this.endedWith);
  }

  /** No further message until it is resumed, but for one that is coming; the client is held back. */
  pause(): void {
    this.isPaused = true;
    this.reader.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.goOn();
  }

  /** Gives back the memory of a message, by its handler, who is done with it. */
  release(message: Buffer): void {
    this.deps.memory.give(message.length);
    this.done();
  }

  send(message: Buffer): void {
    if (this.endedWith !== undefined) return;
    if (!this.isBegun) {
      this.isBegun = true;
      this.stream.respond(answerHeaders);
    }
    const isSmall = message.length <= smallBytes;
    const head = Buffer.allocUnsafe(messageHeadBytes + (isSmall ? message.length : 0));
    head[0] = 0;
    head.writeUInt32BE(message.length, 1);
    if (isSmall) head.set(message, messageHeadBytes);
    this.stream.write(head);
    if (!isSmall) this.stream.write(message);
  }

  /** Undefined where more may be sent; else until then, or the end of the call. */
  sent(): Promise<void> | undefined {
    if (this.stream.isDrained) return undefined;
    return new Promise((resolve) => this.stream.onceDrained(resolve));
  }

  end(names?: Names): void {
    if (this.endedWith !== undefined) return;
    if (!this.isBegun) this.stream.respond(answerHeaders);
    this.stream.end(answerTrailers(names));
    this.over(status.OK);
  }

  fail(error: unknown): void {
    if (this.endedWith === undefined) this.endAs(toStatus(error, this.deps.logger));
  }

  endAs(told: CallStatus): void {
    if (this.endedWith !== undefined) return;
    if (this.isBegun) this.stream.end(failureTrailers(told));
    else this.stream.respond(failureAlone(told), true);
    this.over(told.code);
  }

  data(bytes: Buffer): void {
    if (this.endedWith === undefined) this.reader.read(bytes);
  }

  /** The client has sent all. */
  finished(): void {
    if (this.endedWith !== undefined) return;
    this.isEnded = true;
    this.tellEnd();
  }

  cancelled(): void {
    this.over(status.CANCELLED);
  }

  message(bytes: Buffer, isPacked: boolean): void {
    if (isPacked) void this.unpack(bytes);
    else this.take(bytes);
  }

  failed(error: Error): void {
    if (this.conversation?.failed === undefined) this.fail(error);
    else this.conversation.failed(error);
  }

  private converse(message: Buffer): void {
    this.running += 1;
    try {
      this.conversation?.message(message);
    } catch (error) {
      this.fail(error);
    }
  }

  /** One after the other, so that messages stay in their order. */
  private async unpack(packed: Buffer): Promise<void> {
    const { memory, maxMessageBytes } = this.deps;
    this.isUnpacking = true;
    this.reader.pause();
    this.running += 1;
    try {
      const message = await memory.unpacking.take(this.stream.host, async () =>
        this.endedWith === undefined ? unpackMessage(packed, this.fields.encoding, maxMessageBytes, memory) : nothing,
      );
      if (this.endedWith === undefined) this.take(message);
      else memory.give(message.length);
    } catch (error) {
      this.reader.close();
      this.failed(error as Error);
    }
    memory.give(packed.length);
    this.isUnpacking = false;
    this.done();
    this.goOn();
  }

  private take(bytes: Buffer): void {
    if (this.conversation === undefined) {
      if (this.request === undefined) {
        this.request = bytes;
        // the end may be long in coming
        if (!this.stream.isEnded) this.unwatch = this.deps.memory.watch(() => this.fail(servingErrors.BODY_TOO_SLOW()));
      } else {
        this.deps.memory.give(bytes.length);
        this.fail(grpcErrors.CALL_NOT_SUPPORTED('the call takes one message and got a second'));
      }
      return;
    }
    this.converse(bytes);
    this.reopen();
  }

  private goOn(): void {
    if (this.isPaused || this.isUnpacking || this.endedWith !== undefined) return;
    this.reader.resume();
    this.reopen();
    this.tellEnd();
  }

  /** Lets the client of a call of many messages go on, unless what has come still waits. */
  private reopen(): void {
    if (this.conversation === undefined || this.isPaused || this.isUnpacking || this.reader.isBehind) return;
    if (this.stream.receiveWindow < initialWindow / 2) this.stream.allow(initialWindow);
  }

  private tellEnd(): void {
    if (!this.isEnded || this.endedWith !== undefined) return;
    if (this.isUnpacking || this.reader.isBehind) return; // there is more
    if (this.reader.isWithin) return this.fail(grpcErrors.CALL_NOT_SUPPORTED('the call ended within a message'));
    this.isEnded = false; // once
    if (this.conversation !== undefined) return this.conversation.end();
    const { request } = this;
    this.request = undefined;
    this.unwatch?.();
    if (request === undefined) this.fail(grpcErrors.CALL_NOT_SUPPORTED('the call takes one message and got none'));
    else if ('unary' in this.method) void this.answer(this.method.unary, request);
  }

  private async answer(handle: UnaryHandler, request: Buffer): Promise<void> {
    this.running += 1;
    try {
      const { message, names } = await handle(request, this);
      this.send(message);
      this.end(names);
    } catch (error) {
      this.fail(error);
    }
    this.release(request);
  }

  private done(): void {
    this.running -= 1;
    if (this.running === 0 && this.endedWith !== undefined) this.stream.release();
  }

  private over(code: number): void {
    if (this.endedWith !== undefined) return;
    this.endedWith = code;
    clearTimeout(this.timer);
    this.reader.close();
    this.unwatch?.();
    if (this.request !== undefined) this.deps.memory.give(this.request.length);
    this.request = undefined;
    if (this.listeners !== undefined) for (const listener of this.listeners) listener(code);
    if (this.running === 0) this.stream.release();
  }
}

function expire(call: GrpcCall): void {
  call.endAs({ code: status.DEADLINE_EXCEEDED, details: 'the deadline of the call has passed' });
}

/** At most an eighth longer, so that timers of like length share a list; what waits or runs is told the time itself. */
function coarse(ms: number): number {
  const step = 2 ** Math.floor(Math.log2(Math.max(ms, 8)) - 3);
  return Math.min(Math.ceil(ms / step) * step, 2 ** 31 - 1);
}
