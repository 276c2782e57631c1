import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Http2Connection } from '../http2/http2-connection.ts';
import type { Http2Stream, StreamReader } from '../http2/http2-stream.ts';
import { failureAlone, httpRefusal } from './answer-headers.ts';
import { CallFields } from './call-fields.ts';
import { type CallDeps, GrpcCall, type GrpcMethod } from './grpc-call.ts';
import { grpcErrors } from './grpc-errors.ts';
import { type CallStatus, status } from './status-codes.ts';

/** At once on one connection; further ones wait at their client. */
const maxCallsOfConnection = 1_000;
/** On all together: each takes a kilobyte or more before it has sent a message. Beyond that a connection has its share at most, */
const usualMaxCalls = 65_536;
/** and this in any case. */
const minCallsOfConnection = 10;
/** Of the metadata of a call; what is longer is refused. */
const maxHeaderBytes = 16 * 1024;
const grpcType = 'application/grpc';
/** How else it may be written: neither gRPC-Web, nor messages that are not of Protocol Buffers. */
const otherGrpcTypes = /^application\/grpc(?:\+proto)?[\t ]*(?:;|$)/i;
/** Who says nothing for so long is asked whether it is there, and gone when it does not answer. */
const quietMs = 60_000;
const answerMs = 20_000;
const sweepMs = 10_000;

export interface GrpcListener {
  /** Takes the address; gives its port. GRPC_NOT_LISTENING */
  listen(host: string, port: number): Promise<number>;
  /** Takes no more connections, and ends those that are there when their calls have ended, or then. */
  stop(withinMs: number): Promise<void>;
}

/** Connections of clients, each a list of calls, each to one of the methods by its path. Without TLS, as REST. */
export function createGrpcListener(
  methods: ReadonlyMap<string, GrpcMethod>,
  deps: CallDeps & { readonly maxConnections: number; readonly maxCalls?: number },
): GrpcListener {
  const { maxCalls = usualMaxCalls } = deps;
  const connections = new Set<Http2Connection>();
  let emptied: (() => void) | undefined;

  function begin(stream: Http2Stream, fields: readonly string[] | undefined): StreamReader {
    if (fields === undefined) return refuse(stream, tooManyFields);
    const call = new CallFields(fields);
    if (call.method !== 'POST') return refuse(stream, 405);
    if (call.contentType !== grpcType && !otherGrpcTypes.test(call.contentType)) return refuse(stream, 415);
    const method = methods.get(call.path);
    if (method === undefined)
      return refuse(stream, {
        code: status.UNIMPLEMENTED,
        details: `there is no call ${call.path.slice(0, 200)} here`,
      });
    if (Number.isNaN(call.timeoutMs)) return refuse(stream, badTimeout);
    return new GrpcCall(stream, call, method, deps);
  }

  const settings = {
    limits: {
      maxHeaderBytes,
      running: 0,
      get maxStreams() {
        if (this.running < maxCalls) return maxCallsOfConnection;
        const share = Math.floor(maxCalls / Math.max(connections.size, 1));
        return Math.max(minCallsOfConnection, Math.min(maxCallsOfConnection, share));
      },
    },
    memory: deps.memory,
    listener: begin,
    logger: deps.logger,
  };
  const listener = createServer({ noDelay: true }, (socket: Socket) => {
    const connection = new Http2Connection(socket, settings);
    connections.add(connection);
    socket.on('close', () => {
      connections.delete(connection);
      if (connections.size === 0) emptied?.();
    });
  });
  listener.maxConnections = deps.maxConnections;

  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const connection of connections) {
      const quiet = nowMs - connection.heardMs;
      if (quiet > quietMs + answerMs) connection.cut();
      else if (quiet > quietMs && connection.isGreeted && !connection.isAsked) connection.ping();
    }
  }, sweepMs);
  timer.unref();

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        listener.once('error', (error) => reject(grpcErrors.GRPC_NOT_LISTENING(host, port, error.message)));
        listener.listen(port, host, () => {
          // a connection that cannot be taken is no reason to fall
          listener.on('error', (err) => deps.logger.warn({ err }, 'a gRPC connection could not be taken'));
          resolve((listener.address() as AddressInfo).port);
        });
      }),
    async stop(withinMs) {
      listener.close();
      const gone = new Promise<void>((resolve) => {
        emptied = resolve;
        setTimeout(resolve, withinMs).unref();
      });
      for (const connection of connections) connection.leave();
      if (connections.size > 0) await gone;
      for (const connection of connections) connection.cut();
      clearInterval(timer);
    },
  };
}

const tooManyFields: CallStatus = {
  code: status.RESOURCE_EXHAUSTED,
  details: `the metadata of the call is longer than ${maxHeaderBytes} bytes`,
};
const badTimeout: CallStatus = {
  code: status.INVALID_ARGUMENT,
  details: 'grpc-timeout takes up to eight digits and one of H, M, S, m, u, n',
};

/** Ends what never was a call, and reads nothing of it. */
function refuse(stream: Http2Stream, why: CallStatus | 405 | 415): StreamReader {
  stream.respond(typeof why === 'number' ? httpRefusal(why) : failureAlone(why), true);
  stream.release();
  return ignored;
}

const ignored: StreamReader = { data: () => undefined, finished: () => undefined, cancelled: () => undefined };
