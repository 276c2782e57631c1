import type { IncomingMessage } from 'node:http';
import { GrowingBytes } from '../growing-bytes.ts';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { isAsItIs, unpackBody } from './content-coding.ts';
import type { RestCall } from './rest-route.ts';

/**
 * Reads a body of at most `maxBytes`, unpacked: BODY_TOO_LARGE before the rest is read. Its length is taken from `memory`,
 * and is to be given back when it is done with.
 */
export async function readBody(
  { request, response }: Pick<RestCall, 'request' | 'response'>,
  maxBytes: number,
  memory: RequestMemory,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  const body = 'body' in request ? takeWhole(request.body, maxBytes, memory) : await receive(request, maxBytes, memory);
  if (encoding === undefined || isAsItIs(encoding)) return body;
  const owner = 'body' in request ? request : request.socket;
  try {
    return await memory.unpacking.take(owner, () => {
      if (response.destroyed) throw servingErrors.REQUEST_MALFORMED('the client is gone'); // it is told to nobody
      return unpackBody(body, encoding, maxBytes, memory);
    });
  } finally {
    memory.give(body.length);
  }
}

function takeWhole(body: Buffer, maxBytes: number, memory: RequestMemory): Buffer {
  if (body.length > maxBytes) throw servingErrors.BODY_TOO_LARGE(maxBytes);
  memory.take(body.length);
  return body;
}

function receive(request: IncomingMessage, maxBytes: number, memory: RequestMemory): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return Promise.reject(servingErrors.BODY_TOO_LARGE(maxBytes));
  return new Promise((resolve, reject) => {
    // copied, unless one chunk is all: a chunk that is kept takes far more than its bytes, of which it may have one
    let first: Buffer | undefined;
    const body = new GrowingBytes(memory, declared === 0 ? maxBytes : declared);
    let isOver = false;
    let unwatch: (() => void) | undefined;
    const end = () => {
      isOver = true;
      unwatch?.();
    };
    const fail = (error: Error) => {
      if (isOver) return;
      end();
      request.pause();
      if (first !== undefined) memory.give(first.length);
      body.close();
      reject(error);
    };
    request.on('data', (chunk: Buffer) => {
      if (isOver) return;
      if (body.length + chunk.length > maxBytes) return fail(servingErrors.BODY_TOO_LARGE(maxBytes));
      try {
        if (chunk.length === declared) {
          memory.take(declared);
          first = chunk;
        } else if (body.append(chunk, 0, chunk.length) && body.length !== declared)
          unwatch ??= memory.watch(() => fail(servingErrors.BODY_TOO_SLOW()));
      } catch (error) {
        fail(error as Error);
      }
    });
    request.on('end', () => {
      if (isOver) return;
      end(); // it is the caller's from now on
      resolve(first ?? body.whole());
    });
    request.on('error', () => fail(servingErrors.REQUEST_MALFORMED('the request ended before its body')));
  });
}
