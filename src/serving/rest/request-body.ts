import type { IncomingMessage } from 'node:http';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { unpackBody } from './content-coding.ts';
import type { RestRequest } from './rest-route.ts';

/**
 * Reads a body of at most `maxBytes`, unpacked: BODY_TOO_LARGE before the rest is read. Its length is taken from `memory`,
 * and is to be given back when it is done with.
 */
export async function readBody(request: RestRequest, maxBytes: number, memory: RequestMemory): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  const body = 'body' in request ? takeWhole(request.body, maxBytes, memory) : await receive(request, maxBytes, memory);
  return encoding === undefined ? body : unpack(request, body, encoding, maxBytes, memory);
}

function takeWhole(body: Buffer, maxBytes: number, memory: RequestMemory): Buffer {
  if (body.length > maxBytes) throw servingErrors.BODY_TOO_LARGE(maxBytes);
  memory.take(body.length);
  return body;
}

async function unpack(
  request: RestRequest,
  packed: Buffer,
  encoding: string,
  maxBytes: number,
  memory: RequestMemory,
): Promise<Buffer> {
  const owner = 'body' in request ? request : request.socket;
  try {
    return await memory.unpacking.take(owner, () => unpackBody(packed, encoding, maxBytes, memory));
  } finally {
    memory.give(packed.length);
  }
}

function receive(request: IncomingMessage, maxBytes: number, memory: RequestMemory): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return Promise.reject(servingErrors.BODY_TOO_LARGE(maxBytes));
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let chunks: Buffer[] | undefined;
    let size = 0;
    let taken = 0;
    let unwatch: (() => void) | undefined;
    const fail = (error: Error) => {
      request.pause();
      unwatch?.();
      memory.give(taken);
      taken = 0;
      first = chunks = undefined;
      reject(error);
    };
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) return fail(servingErrors.BODY_TOO_LARGE(maxBytes));
      try {
        memory.take(chunk.length);
      } catch (error) {
        return fail(error as Error);
      }
      taken = size;
      if (size !== declared) unwatch ??= memory.watch(() => fail(servingErrors.BODY_TOO_SLOW()));
      if (first === undefined) first = chunk;
      else (chunks ??= [first]).push(chunk);
    });
    request.on('end', () => {
      unwatch?.();
      taken = 0; // it is the caller's from now on
      resolve(chunks === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(chunks));
    });
    request.on('error', () => fail(servingErrors.REQUEST_MALFORMED('the request ended before its body')));
  });
}
