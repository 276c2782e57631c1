import type { Socket } from 'node:net';
import type { RequestMemory } from '../request-memory.ts';
import { FrameWriter } from './frame-writer.ts';
import {
  flags,
  frameHeadBytes,
  frameTypes,
  initialWindow,
  maxWindow,
  preface,
  readUint24,
  readUint31,
  settings,
  usualFrameBytes,
} from './frames.ts';
import { HeaderDecoder } from './header-decoder.ts';
import { errorCodes, Http2Error } from './http2-error.ts';
import { Http2Stream, type StreamHost, type StreamReader } from './http2-stream.ts';

export interface Http2Limits {
  /** Requests at once on one connection, with those that were given up and still run. */
  readonly maxStreams: number;
  /** Of the fields of one request, as RFC 9113, 6.5.2 counts them. */
  readonly maxHeaderBytes: number;
}

/** Takes a request; `fields` are names and values in turn, undefined where they were too large. */
export type RequestListener = (stream: Http2Stream, fields: readonly string[] | undefined) => StreamReader;

/** What may come on all streams of a connection together before it is read, which it is at once. */
const connectionWindow = 1024 ** 2;
/** Frames of one header block; more are an attack. */
const maxContinuations = 32;
const nothing = Buffer.alloc(0);
/** How long the last frame may take to the peer before the socket is gone. */
const lastWordsMs = 1_000;
/** Streams that a client may open while it does not know yet that we close. */
const lastStream = maxWindow;

/**
 * One connection of a client that speaks HTTP/2 from its first byte (RFC 9113), on the side of the server. It sends bodies as
 * they come to their readers, keeps none, and takes what clients send at once: what holds a client back is the window of its
 * stream, which the reader opens.
 */
export class Http2Connection implements StreamHost {
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
  private readonly headers: HeaderDecoder;
  private readonly streams = new Map<number, Http2Stream>();
  /** Those that wait for the window of all, and those whose owners wait for what was sent to leave. */
  private readonly waiting = new Set<Http2Stream>();
  private readonly drainingStreams = new Set<Http2Stream>();
  private running = 0;
  private receiveWindow = connectionWindow;
  private streamWindow = initialWindow;
  private lastId = 0;
  private prefaceLeft = preface.length;
  private isFirstFrame = true;
  /** What came of a frame that is not whole yet; bodies are passed on as they come. */
  private rest: Buffer = nothing;
  private data:
    | { readonly stream: Http2Stream | undefined; left: number; padding: number; isLast: boolean }
    | undefined;
  private block:
    | { readonly id: number; readonly flagBits: number; readonly parts: Buffer[]; bytes: number }
    | undefined;
  private isLeaving = false;
  private isOver = false;

  constructor(socket: Socket, limits: Http2Limits, memory: RequestMemory, listener: RequestListener) {
    this.socket = socket;
    this.limits = limits;
    this.memory = memory;
    this.listener = listener;
    this.headers = new HeaderDecoder(limits.maxHeaderBytes);
    this.writer = new FrameWriter(socket, memory, () => this.flushed());
    this.sendSettings();
    socket.on('data', (bytes: Buffer) => this.receive(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.closed());
  }

  /** It has said more than nothing. */
  get isGreeted(): boolean {
    return this.prefaceLeft === 0;
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
    this.waiting.delete(stream);
    this.drainingStreams.delete(stream);
    this.endWhenDone();
  }

  released(): void {
    this.running -= 1;
  }

  private endWhenDone(): void {
    if (this.isLeaving && !this.isAsked && this.streams.size === 0) this.end(errorCodes.NO_ERROR);
  }

  private end(code: number): void {
    if (this.isOver) return;
    this.isOver = true;
    this.goAway(this.lastId, code);
    this.writer.flush();
    this.socket.end();
    setTimeout(() => this.socket.destroy(), lastWordsMs).unref();
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
      this.read(this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]));
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.end(error.code);
      for (const stream of this.streams.values()) stream.abort();
    }
  }

  private read(bytes: Buffer): void {
    let at = this.readPreface(bytes);
    while (at < bytes.length && !this.isOver) {
      if (this.data !== undefined) {
        at = this.readData(bytes, at);
        continue;
      }
      if (bytes.length - at < frameHeadBytes) break;
      const length = readUint24(bytes, at);
      if (length > usualFrameBytes) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
      const type = bytes[at + 3] as number;
      const id = readUint31(bytes, at + 5);
      this.checkOrder(type, bytes[at + 4] as number, id);
      if (type === frameTypes.DATA) {
        // the byte that says how much padding there is comes with the head
        const isPadded = ((bytes[at + 4] as number) & flags.PADDED) !== 0;
        if (isPadded && length > 0 && bytes.length - at < frameHeadBytes + 1) break;
        at = this.beginData(bytes, at, length, bytes[at + 4] as number, id);
        continue;
      }
      const end = at + frameHeadBytes + length;
      if (end > bytes.length) break;
      this.readFrame(type, bytes[at + 4] as number, id, bytes.subarray(at + frameHeadBytes, end));
      at = end;
    }
    this.rest = at < bytes.length && !this.isOver ? bytes.subarray(at) : nothing;
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
    if (this.block !== undefined && (type !== frameTypes.CONTINUATION || id !== this.block.id))
      throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'something comes within a header block');
  }

  private readFrame(type: number, flagBits: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameTypes.HEADERS:
        return this.readHeaders(flagBits, id, payload);
      case frameTypes.CONTINUATION:
        return this.readContinuation(flagBits, payload);
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

  private beginData(bytes: Buffer, start: number, length: number, flagBits: number, id: number): number {
    needsStream(id);
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, 'more than the window of all');
    if (this.receiveWindow < connectionWindow / 2) {
      this.writer.numberFrame(frameTypes.WINDOW_UPDATE, 0, connectionWindow - this.receiveWindow);
      this.receiveWindow = connectionWindow;
    }
    let at = start + frameHeadBytes;
    let padding = 0;
    if ((flagBits & flags.PADDED) !== 0) {
      padding = length === 0 ? 0 : (bytes[at] ?? 0);
      if (padding >= length) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'more padding than frame');
      at += 1;
    }
    let stream = this.streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a body before its headers');
      this.refuse(id, errorCodes.STREAM_CLOSED);
    } else if (stream.isEnded) {
      stream.reset(errorCodes.STREAM_CLOSED);
      stream = undefined;
    } else {
      stream.receiveWindow -= length;
      if (stream.receiveWindow < 0) {
        stream.reset(errorCodes.FLOW_CONTROL_ERROR);
        stream = undefined;
      }
    }
    const isPadded = (flagBits & flags.PADDED) !== 0;
    this.data = {
      stream,
      left: length - padding - (isPadded ? 1 : 0),
      padding,
      isLast: (flagBits & flags.END_STREAM) !== 0,
    };
    if (this.data.left === 0 && padding === 0) this.endData();
    return at;
  }

  private readData(bytes: Buffer, start: number): number {
    const data = this.data;
    if (data === undefined) return start;
    let at = start;
    if (data.left > 0) {
      const count = Math.min(data.left, bytes.length - at);
      data.left -= count;
      data.stream?.reader?.data(bytes.subarray(at, at + count));
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
    const { stream, isLast } = this.data ?? {};
    this.data = undefined;
    if (isLast === true && stream !== undefined) endRequest(stream);
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
    if ((flagBits & flags.END_HEADERS) !== 0) return this.endHeaders(id, flagBits, payload, start, end);
    this.block = { id, flagBits, parts: [Buffer.from(payload.subarray(start, end))], bytes: end - start };
  }

  private readContinuation(flagBits: number, payload: Buffer): void {
    const { block } = this;
    if (block === undefined) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'goes on with nothing');
    block.parts.push(Buffer.from(payload));
    block.bytes += payload.length;
    if (block.bytes > 4 * this.limits.maxHeaderBytes || block.parts.length > maxContinuations)
      throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, 'a header block without end');
    if ((flagBits & flags.END_HEADERS) === 0) return;
    this.block = undefined;
    this.endHeaders(block.id, block.flagBits, Buffer.concat(block.parts), 0, block.bytes);
  }

  private endHeaders(id: number, flagBits: number, block: Buffer, start: number, end: number): void {
    const fields = this.headers.decode(block, start, end); // always: both sides must know the same table
    const isLast = (flagBits & flags.END_STREAM) !== 0;
    const known = this.streams.get(id);
    if (known !== undefined) {
      if (known.isEnded) return known.reset(errorCodes.STREAM_CLOSED);
      if (!isLast || fields?.some((text, index) => index % 2 === 0 && text.startsWith(':')) === true)
        return known.reset(errorCodes.PROTOCOL_ERROR);
      return endRequest(known); // trailers of a request mean nothing to us
    }
    if (id % 2 === 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a stream of an even number');
    if (id <= this.lastId) throw new Http2Error(errorCodes.STREAM_CLOSED, 'a stream that was');
    this.lastId = id;
    if (this.running >= this.limits.maxStreams || (this.isLeaving && !this.isAsked))
      return this.refuse(id, errorCodes.REFUSED_STREAM);
    if (fields !== undefined && !isWellFormed(fields)) return this.refuse(id, errorCodes.PROTOCOL_ERROR);
    const stream = new Http2Stream(id, this.streamWindow, this);
    this.streams.set(id, stream);
    this.running += 1;
    stream.reader = this.listener(stream, fields);
    if (isLast) endRequest(stream);
  }

  private readSettings(flagBits: number, id: number, payload: Buffer): void {
    this.isFirstFrame = false;
    if (id !== 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'SETTINGS on a stream');
    if ((flagBits & flags.ACK) !== 0) {
      if (payload.length > 0) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'settings in an answer');
      return;
    }
    if (payload.length % 6 !== 0) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'half a setting');
    if (!this.writer.mayAnswer()) return;
    let window = this.streamWindow;
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      const name = payload.readUInt16BE(at);
      checkSetting(name, value);
      if (name === settings.INITIAL_WINDOW_SIZE) window = value;
      else if (name === settings.MAX_FRAME_SIZE) this.maxFrameBytes = value;
    }
    this.resizeWindows(window);
    this.writer.frame(frameTypes.SETTINGS, flags.ACK, 0, nothing);
  }

  private resizeWindows(window: number): void {
    const more = window - this.streamWindow;
    this.streamWindow = window;
    if (more === 0) return;
    for (const stream of this.streams.values()) {
      stream.sendWindow += more;
      stream.pump();
    }
  }

  private readPing(flagBits: number, id: number, payload: Buffer): void {
    if (id !== 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'PING on a stream');
    if (payload.length !== 8) throw new Http2Error(errorCodes.FRAME_SIZE_ERROR, 'PING');
    if ((flagBits & flags.ACK) === 0) {
      if (this.writer.mayAnswer()) this.writer.frame(frameTypes.PING, flags.ACK, 0, payload);
      return;
    }
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
      for (const stream of [...this.waiting]) {
        this.waiting.delete(stream); // and to the end, if it waits again
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
    this.finished(stream);
  }

  private refuse(id: number, code: number): void {
    if (this.writer.mayAnswer()) this.writer.numberFrame(frameTypes.RST_STREAM, id, code);
  }
}

function checkSetting(name: number, value: number): void {
  if (name === settings.INITIAL_WINDOW_SIZE && value > maxWindow)
    throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, 'a window past 2^31');
  if (name === settings.MAX_FRAME_SIZE && (value < usualFrameBytes || value >= 2 ** 24))
    throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a frame size that may not be');
  if (name === settings.ENABLE_PUSH && value > 1) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'push is on or off');
}

function needsStream(id: number): void {
  if (id === 0) throw new Http2Error(errorCodes.PROTOCOL_ERROR, 'a frame of a stream on none');
}

function endRequest(stream: Http2Stream): void {
  stream.isEnded = true;
  stream.reader?.finished();
}

/** RFC 9113, 8.2 and 8.3: pseudo fields first, once each, of a request; names in lower case; none of a connection. */
function isWellFormed(fields: readonly string[]): boolean {
  let seen = 0;
  let isPseudo = true;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name.charCodeAt(0) === 58) {
      const bit = pseudoBits[name];
      if (!isPseudo || bit === undefined || (seen & bit) !== 0) return false;
      if (name === ':path' && fields[index + 1] === '') return false;
      seen |= bit;
      continue;
    }
    isPseudo = false;
    if (name === '' || (name !== 'content-type' && /[A-Z]/.test(name)) || forbidden.has(name)) return false;
    if (name === 'te' && fields[index + 1] !== 'trailers') return false;
  }
  return (seen & requiredBits) === requiredBits;
}

const pseudoBits: Readonly<Record<string, number>> = { ':method': 1, ':scheme': 2, ':path': 4, ':authority': 8 };
const requiredBits = 7;
const forbidden: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
