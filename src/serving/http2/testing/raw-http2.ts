import { type AddressInfo, connect, createServer } from 'node:net';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { createRequestMemory, type RequestMemory } from '../../request-memory.ts';
import { flags, frameTypes, preface, writeFrameHead } from '../frames.ts';
import { encodeHeaders } from '../header-encoder.ts';
import { Http2Connection } from '../http2-connection.ts';
import type { Http2Stream } from '../http2-stream.ts';

export const answerHead = encodeHeaders([[':status', '200']]);
export const trailers = encodeHeaders([['sum', 'all']]);

interface Given {
  readonly memory?: RequestMemory;
  /** What becomes of a request; default: it comes back as it is. */
  readonly listener?: (stream: Http2Stream, fields: readonly string[] | undefined) => void;
}

/** Sends back what comes, on connections that are ours. */
export async function aServer({ memory = createRequestMemory(), listener }: Given = {}) {
  const connections: Http2Connection[] = [];
  const released: Http2Stream[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = new Http2Connection(socket, {
      limits: { maxStreams: 4, running: 0, maxHeaderBytes: 4_096 },
      memory,
      logger: pino({ level: 'silent' }),
      listener(stream, fields) {
        listener?.(stream, fields);
        if (listener === undefined) stream.respond(answerHead);
        return {
          data(bytes) {
            if (listener === undefined) stream.write(Buffer.from(bytes));
            stream.allow(65_535);
          },
          finished() {
            if (listener !== undefined) return;
            stream.end(trailers);
            stream.release();
          },
          cancelled: () => void released.push(stream),
        };
      },
    });
    connections.push(connection);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const connection of connections) connection.cut();
    server.close();
    memory.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, connections, memory, released };
}

/** Frames past any library. */
export function aRaw(port: number) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  let bytes = Buffer.alloc(0);
  socket.on('data', (more: Buffer) => (bytes = Buffer.concat([bytes, more])));
  const frames = () => {
    const found: { type: number; flagBits: number; id: number; payload: Buffer }[] = [];
    for (let at = 0; bytes.length - at >= 9; ) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at - 9 < length) break;
      const [type, flagBits] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4)];
      found.push({ type, flagBits, id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + length) });
      at += 9 + length;
    }
    return found;
  };
  const ends = (type: number) => frames().filter((one) => one.type === type);
  return { socket, frames, ends, send: (...parts: Buffer[]) => void socket.write(Buffer.concat(parts)) };
}

export function frame(type: number, flagBits: number, id: number, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload.replaceAll(' ', ''), 'hex') : payload;
  const whole = Buffer.alloc(9 + bytes.length);
  whole.set(bytes, writeFrameHead(whole, 0, bytes.length, type, flagBits, id));
  return whole;
}
export const greeting = Buffer.concat([preface, frame(frameTypes.SETTINGS, 0, 0)]);
export const post = encodeHeaders([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/echo'],
]);
export const open = (id: number, more = 0, block = post) =>
  frame(frameTypes.HEADERS, flags.END_HEADERS | more, id, block);
export const fields = (...more: (readonly [string, string])[]) => encodeHeaders(more);
export const of = (...names: string[]) => names.map((name) => [name, 'x'] as const);
