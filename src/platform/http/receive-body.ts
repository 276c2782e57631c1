import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { blobErrors } from '../blobs/blob-errors.ts';
import { type AppError, defineErrors } from '../errors.ts';

export interface BodyBounds {
  readonly maxBytes?: number | undefined;
  /** A body that brings less than 64 KiB in this time is given up. Default a minute. */
  readonly idleMs?: number | undefined;
}

export const bodyErrors = defineErrors({
  UPLOAD_STALLED: {
    kind: 'invalid',
    message: (idleMs: number) => `the upload brought next to nothing for ${idleMs} ms and was given up; send it again`,
    help: 'Start the server with a longer `--upload-idle-ms` for clients on very slow lines.',
  },
  UPLOAD_BROKEN: {
    kind: 'invalid',
    message: () => 'the upload ended before all of its body was there; send it again',
  },
});

const leastBytes = 64 * 1024;
/** What is still to come of a refused body is read and dropped up to here, so that the connection can go on. */
const mostDroppedBytes = 1024 * 1024;
const dropMs = 5_000;
/** Beyond it the client has this long to take the answer and stop. */
const lingerMs = 2_000;

/**
 * Hands a streamed body to `work`, within bounds. When `work` gives it up half-way, the rest is read and dropped if it is
 * small, so that the next request on the connection is read from its beginning; else the connection ends soon after
 * the answer. One sender that stalls holds up nobody, and is ended.
 */
export async function receiveBody<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { maxBytes = Number.POSITIVE_INFINITY, idleMs = 60_000 }: BodyBounds,
  work: (source: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const body = request.body instanceof Readable ? request.body : Readable.from([]);
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  const announced = announcedBytes(request);
  let [receivedBytes, before] = [0, 0];
  let refuse: ((error: Error) => void) | undefined;
  let stalled: Error | undefined;
  const watch = setInterval(() => {
    // while nobody asks for more it is we who are slow
    if (refuse !== undefined && receivedBytes - before < leastBytes) {
      stalled = bodyErrors.UPLOAD_STALLED(idleMs);
      refuse(stalled);
    }
    before = receivedBytes;
  }, idleMs);

  const next = () =>
    new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
      refuse = reject;
      chunks.next().then(resolve, (error: unknown) => reject(broken(error)));
    }).finally(() => (refuse = undefined));

  async function* source(): AsyncGenerator<Uint8Array> {
    if (announced !== undefined && announced > maxBytes) throw blobErrors.BLOB_TOO_LARGE(maxBytes);
    for (let read = await next(); read.done !== true; read = await next()) {
      receivedBytes += read.value.byteLength;
      if (receivedBytes > maxBytes) throw blobErrors.BLOB_TOO_LARGE(maxBytes);
      yield read.value;
    }
  }

  try {
    return await work(source());
  } catch (error) {
    if (stalled === undefined) {
      await chunks.return?.();
      await giveUp(request, reply, body, announced && announced - receivedBytes);
    } else endSoon(request, reply, 0, body);
    throw error;
  } finally {
    clearInterval(watch);
  }
}

/** A sender that goes away is no failure of ours. */
const broken = (error: unknown): unknown =>
  error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
    ? Object.assign(bodyErrors.UPLOAD_BROKEN(), { cause: error })
    : error;

/** How many bytes the body of a request has, as its head says. */
export function announcedBytes({ headers }: FastifyRequest): number | undefined {
  const text = headers['content-length'];
  return text === undefined ? undefined : Number(text);
}

/**
 * The same for a body that was refused while it was read as a whole. Fastify would end the connection in any case, and at once:
 * a client that is still sending then may not see the answer.
 */
export async function giveUpWhole(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  void reply.removeHeader('connection');
  if (!request.raw.complete) await giveUp(request, reply, request.raw, announcedBytes(request));
}

async function giveUp(
  request: FastifyRequest,
  reply: FastifyReply,
  body: Readable,
  restBytes: number | undefined,
): Promise<void> {
  if (body.readableEnded || body.destroyed) return;
  if (restBytes === undefined || restBytes <= mostDroppedBytes) {
    const ended = await dropRest(body);
    if (ended) return;
  }
  endSoon(request, reply, lingerMs, body);
}

/** True when the body has ended. */
async function dropRest(body: Readable): Promise<boolean> {
  let droppedBytes = 0;
  return await new Promise<boolean>((resolve) => {
    const settle = (ended: boolean) => {
      clearTimeout(timer);
      body.off('data', onData);
      resolve(ended);
    };
    const onData = (chunk: Uint8Array) => {
      droppedBytes += chunk.byteLength;
      if (droppedBytes > mostDroppedBytes) settle(false);
    };
    const timer = setTimeout(() => settle(false), dropMs);
    body.on('data', onData);
    body.once('end', () => settle(true));
    body.once('close', () => settle(true));
    body.resume();
  });
}

/** Lets the sender take the answer, and ends the connection unless its body has come to an end meanwhile. */
function endSoon(request: FastifyRequest, reply: FastifyReply, afterMs: number, body: Readable): void {
  reply.raw.once('finish', () => {
    const timer = setTimeout(() => {
      if (!request.raw.complete) request.raw.destroy();
    }, afterMs);
    timer.unref();
    body.resume();
  });
}

/** HTTP has a status of its own for a body that does not come, which no kind of error maps to. */
export const isStalled = (error: AppError): boolean => error.code === 'UPLOAD_STALLED';
