import type { Socket } from 'node:net';
import type { Logger } from '#platform/log';
import type { RequestMemory } from '../request-memory.ts';
import { type BodyTaker, FrameReader, type FrameTaker, needsStream } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import {
  flags,
  frameTypes,
  initialWindow,
  maxWindow,
  readUint31,
  settings,
  usualFrameBytes,
  usualTableBytes,
} from './frames.ts';
import { HeaderDecoder } from './header-decoder.ts';
import { errorCodes, Http2Error } from './http2-error.ts';
import { Http2Stream, type StreamHost, type StreamReader } from './http2-stream.ts';
import { isWellFormed } from './request-fields.ts';

export interface Http2Limits {
  /** Requests at once on one connection, with those that were given up and still run. It may change. */
  readonly maxStreams: number;
  /** On all connections that share these limits. */
  running: number;
  /** Of the fields of one request, as RFC 9113, 6.5.2 counts them. */
  readonly maxHeaderBytes: number;
}

export interface Http2Deps {
  readonly limits: Http2Limits;
  readonly memory: RequestMemory;
  readonly listener: RequestListener;
  readonly logger: Logger;
}

/** Takes a request; `fields` are names and values in turn, undefined where they were too large. */
export type RequestListener = (stream: Http2Stream, fields: readonly string[] | undefined) => StreamReader;

/** What may come on all streams of a connection together before it is read, which it is at once. */
const connectionWindow = 1024 ** 2;
const nothing = Buffer.alloc(0);
const maxShortened = 1_000;
/** Each goes through all streams; clients that measure their path change it some ten times a second. */
const maxResizesASecond = 100;
/** How long the peer may take to close, after all has left. */
const lastWordsMs = 1_000;
/** Streams that a client may open while it does not know yet that we close. */
const lastStream = maxWindow;

/**
 * One connection of a client that speaks HTTP/2 from its first byte (RFC 9113), on the side of the server. It sends bodies as
 * they come to their readers, keeps none, and takes what clients send at once: what holds a client back is the window of its
 * stream, which the reader opens.
 */
export class Http2Connection implements StreamHost, FrameTaker {
  readonly writer: FrameWriter;
  readonly memory: RequestMemory;
  sendWindow = initialWindow;
  maxFrameBytes = usualFrameBytes;
  /** When something last came, on the scale of performance.now(). */
  heardMs = performance.now();
  /** A ping that is not answered yet. */
  isAsked = false;
  private readonly socket: Socket;
  private readonly limits: Http2Limits;
  private readonly listener: RequestListener;
  private readonly logger: Logger;
  private readonly decoder: HeaderDecoder;
  private readonly reader: FrameReader;
  private readonly streams = new Map<number, Http2Stream>();
  /** Those that wait for the window of all, and those whose owners wait for what was sent to leave. */
  private readonly waiting = new Set<Http2Stream>();
  private readonly drainingStreams = new Set<Http2Stream>();
  /** Those that ended before their clients had said all: what is on its way to them is read over. */
  private readonly shortened = new Set<number>();
  private running = 0;
  private receiveWindow = connectionWindow;
  private streamWindow = initialWindow;
  /** Changes of it since then. */
  private resizes = 0;
  private resizesSinceMs = 0;
  private lastId = 0;
  private isLeaving = false;
  private isOver = false;

  constructor(socket: Socket, { limits, memory, listener, logger }: Http2Deps) {
    this.socket = socket;
    this.limits = limits;
    this.memory = memory;
    this.listener = listener;
    this.logger = logger;
    this.decoder = new HeaderDecoder(limits.maxHeaderBytes);
    this.reader = new FrameReader(this, 2 * limits.maxHeaderBytes);
    this.writer = new FrameWriter(socket, memory, () => this.flushed());
    this.sendSettings();
    socket.on('data', (bytes: Buffer) => this.receive(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.closed());
  }

  /** It has said more than nothing. */
  get isGreeted(): boolean {
    return this.reader.isGreeted;
  }

  ping(): void {
    this.isAsked = true;
    this.writer.frame(frameTypes.PING, 0, 0, Buffer.alloc(8));
  }

  /** Tells the client to open no more streams, and closes when those that are there are done. */
  leave(): void {
    if (this.isLeaving || this.isOver) return;
    if (!this.isGreeted) return this.cut();
    this.isLeaving = true;
    this.goAway(lastStream, errorCodes.NO_ERROR);
    this.ping(); // streams that are on their way come before its answer
  }

  cut(): void {
    this.socket.destroy();
  }

  blocked(stream: Http2Stream): void {
    this.waiting.add(stream);
  }

  draining(stream: Http2Stream): void {
    this.drainingStreams.add(stream);
  }

  finished(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    if (!stream.isEnded) this.cutShort(stream.id);
    this.waiting.delete(stream);
    this.drainingStreams.delete(stream);
    this.endWhenDone();
  }

  released(): void {
    this.running -= 1;
    this.limits.running -= 1;
  }

  private cutShort(id: number): void {
    this.shortened.add(id);
    if (this.shortened.size <= maxShortened) return;
    for (const oldest of this.shortened) return void this.shortened.delete(oldest);
  }

  private endWhenDone(): void {
    if (this.isLeaving && !this.isAsked && this.streams.size === 0) this.end(errorCodes.NO_ERROR);
  }

  private end(code: number): void {
    if (this.isOver) return;
    this.isOver = true;
    this.reader.close();
    if (code !== errorCodes.NO_ERROR) this.goAway(this.lastId, code); // who is left heard it
    this.writer.flush();
    this.socket.end(() => setTimeout(() => this.socket.destroy(), lastWordsMs).unref());
  }

  private goAway(id: number, code: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(id, 0);
    payload.writeUInt32BE(code, 4);
    this.writer.frame(frameTypes.GOAWAY, 0, 0, payload);
  }

  private sendSettings(): void {
    const said = [
      [settings.MAX_CONCURRENT_STREAMS, this.limits.maxStreams],
      [settings.MAX_HEADER_LIST_SIZE, this.limits.maxHeaderBytes],
    ] as const;
    const payload = Buffer.alloc(said.length * 6);
    said.forEach(([name, value], index) => payload.writeUInt32BE(value, payload.writeUInt16BE(name, index * 6)));
    this.writer.frame(frameTypes.SETTINGS, 0, 0, payload);
    this.writer.numberFrame(frameTypes.WINDOW_UPDATE, 0, connectionWindow - initialWindow);
  }

  private flushed(): void {
    for (const stream of this.drainingStreams) if (stream.tellDrained()) this.drainingStreams.delete(stream);
  }

  private closed(): void {
    this.isOver = true;
    for (const stream of this.streams.values()) stream.abort();
    this.streams.clear();
    this.waiting.clear();
    this.writer.close();
  }

  private receive(bytes: Buffer): void {
    if (this.isOver) return;
    this.heardMs = performance.now();
    try {
      this.reader.read(bytes);
    } catch (error) {
      if (!(error instanceof Http2Error)) this.logger.error({ err: error }, 'a gRPC connection failed unexpectedly');
      this.end(error instanceof Http2Error ? error.code : errorCodes.INTERNAL_ERROR);
      for (const stream of this.streams.values()) stream.abort();
    }
  }

  frame(type: number, flagBits: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameTypes.SETTINGS:
        return this.readSettings(flagBits, id, payload);
      case frameTypes.PING:
        return this.readPing(flagBits, id, payload);
      case frameTypes.WINDOW_UPDATE:
        return this.readWindowUpdate(id, payload);
      case frameTypes.RST_STREAM:
        return this.readReset(id, payload);
      case frameTypes.PRIORITY:
        needsStream(id);
        if (payload.length !== 5) {
          const stream = this.streams.get(id);
          if (stream === undefined) this.refuse(id, errorCodes.FRAME_SIZE_ERROR);
          else stream.reset(errorCodes.FRAME_SIZE_ERROR);
        } else if (readUint31(payload, 0) === id) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'depends on itself');
        return;
      case frameTypes.GOAWAY:
        if (id !== 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'GOAWAY on a stream');
        return;
      case frameTypes.PUSH_PROMISE:
        throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a client does not push');
      default: // of an extension (RFC 9113, 4.1)
    }
  }

  beginData(id: number, length: number, padding: number): BodyTaker | undefined {
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, 'more than the window of all');
    if (this.receiveWindow < connectionWindow / 2) {
      this.writer.numberFrame(frameTypes.WINDOW_UPDATE, 0, connectionWindow - this.receiveWindow);
      this.receiveWindow = connectionWindow;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a body before its headers');
      if (!this.shortened.has(id)) this.refuse(id, errorCodes.STREAM_CLOSED);
    } else if (stream.isEnded) stream.reset(errorCodes.STREAM_CLOSED);
    else {
      stream.receiveWindow -= length;
      if (stream.receiveWindow >= 0) {
        if (padding > 0) stream.allow(stream.receiveWindow + padding); // nobody reads it
        return stream;
      }
      stream.reset(errorCodes.FLOW_CONTROL_ERROR);
    }
    return undefined;
  }

  headers(id: number, isLast: boolean, block: Buffer, start: number, end: number): void {
    const fields = this.decoder.decode(block, start, end); // always: both sides must know the same table
    if (this.shortened.has(id)) return;
    const known = this.streams.get(id);
    if (known !== undefined) {
      if (known.isEnded) return known.reset(errorCodes.STREAM_CLOSED);
      if (!isLast || fields?.some((text, index) => index % 2 === 0 && text.startsWith(':')) === true)
        return known.reset(errorCodes.PROTOCOL_ERROR);
      return known.endRequest(); // trailers of a request mean nothing to us
    }
    if (id % 2 === 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a stream of an even number');
    if (id <= this.lastId) throw new Http2Error(errorCodes.STREAM_CLOSED, 'a stream that was');
    this.lastId = id;
    // those that wait for their client to take an answer are of the one, those that are reset and still run of the other
    const atOnce = Math.max(this.streams.size, this.running);
    if (atOnce >= this.limits.maxStreams || (this.isLeaving && !this.isAsked))
      return this.refuse(id, errorCodes.REFUSED_STREAM);
    if (fields !== undefined && !isWellFormed(fields)) return this.refuse(id, errorCodes.PROTOCOL_ERROR);
    const stream = new Http2Stream(id, this.streamWindow, this);
    this.streams.set(id, stream);
    this.running += 1;
    this.limits.running += 1;
    stream.reader = this.listener(stream, fields);
    if (isLast) stream.endRequest();
  }

  private readSettings(flagBits: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'SETTINGS on a stream');
    if ((flagBits & flags.ACK) !== 0) {
      if (payload.length > 0) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'settings in an answer');
      return;
    }
    if (payload.length % 6 !== 0) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'half a setting');
    let window = this.streamWindow;
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      const name = payload.readUInt16BE(at);
      checkSetting(name, value);
      if (name === settings.INITIAL_WINDOW_SIZE) window = value;
      else if (name === settings.MAX_FRAME_SIZE) this.maxFrameBytes = value;
      else if (name === settings.HEADER_TABLE_SIZE && value < usualTableBytes) this.writer.mustShrinkTable = true;
    }
    this.writer.frame(frameTypes.SETTINGS, flags.ACK, 0, nothing); // before what the client hears because of it
    this.resizeWindows(window);
  }

  private resizeWindows(window: number): void {
    const more = window - this.streamWindow;
    this.streamWindow = window;
    if (more === 0) return;
    this.countResize();
    for (const stream of this.streams.values()) {
      stream.sendWindow += more;
      if (stream.sendWindow > maxWindow) throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, 'a window past 2^31');
      stream.pump();
    }
  }

  private countResize(): void {
    if (this.heardMs - this.resizesSinceMs > 1_000) {
      this.resizesSinceMs = this.heardMs;
      this.resizes = 0;
    }
    this.resizes += 1;
    if (this.resizes > maxResizesASecond) throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, 'windows on and on');
  }

  private readPing(flagBits: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'PING on a stream');
    if (payload.length !== 8) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'PING');
    if ((flagBits & flags.ACK) === 0) return this.writer.frame(frameTypes.PING, flags.ACK, 0, payload);
    if (!this.isAsked) return;
    this.isAsked = false;
    if (!this.isLeaving) return;
    this.goAway(this.lastId, errorCodes.NO_ERROR);
    this.endWhenDone();
  }

  private readWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'WINDOW_UPDATE');
    const more = readUint31(payload, 0);
    if (id === 0) {
      if (more === 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a window opened by nothing');
      this.sendWindow += more;
      if (this.sendWindow > maxWindow) throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, 'a window past 2^31');
      for (const stream of this.waiting) {
        if (this.sendWindow <= 0) return;
        this.waiting.delete(stream); // who waits again does so behind the others
        stream.pump();
      }
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a window of no stream');
      return;
    }
    if (more === 0) return stream.reset(errorCodes.PROTOCOL_ERROR);
    stream.sendWindow += more;
    if (stream.sendWindow > maxWindow) return stream.reset(errorCodes.FLOW_CONTROL_ERROR);
    stream.pump();
  }

  private readReset(id: number, payload: Buffer): void {
    needsStream(id);
    if (payload.length !== 4) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'RST_STREAM');
    if (id > this.lastId) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a stream that is not yet');
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.abort();
    stream.isEnded = true; // it says no more
    this.finished(stream);
  }

  private refuse(id: number, code: number): void {
    this.cutShort(id);
    this.writer.numberFrame(frameTypes.RST_STREAM, id, code);
  }
}

function checkSetting(name: number, value: number): void {
  if (name === settings.INITIAL_WINDOW_SIZE && value > maxWindow)
    throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, 'a window past 2^31');
  if (name === settings.MAX_FRAME_SIZE && (value < usualFrameBytes || value >= 2 ** 24))
    throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a frame size that may not be');
  if (name === settings.ENABLE_PUSH && value > 1) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'push is on or off');
}
