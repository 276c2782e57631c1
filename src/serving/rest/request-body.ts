import type { IncomingMessage } from 'node:http';
import { servingErrors } from '../serving-errors.ts';
import { unpackBody } from './content-coding.ts';

/** Reads a body of at most `maxBytes`, unpacked: BODY_TOO_LARGE before the rest is read. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  const body = receive(request, maxBytes);
  return encoding === undefined ? body : body.then((packed) => unpackBody(packed, encoding, maxBytes));
}

function receive(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return Promise.reject(servingErrors.BODY_TOO_LARGE(maxBytes));
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let chunks: Buffer[] | undefined;
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        request.pause();
        reject(servingErrors.BODY_TOO_LARGE(maxBytes));
        return;
      }
      if (first === undefined) first = chunk;
      else (chunks ??= [first]).push(chunk);
    });
    request.on('end', () => resolve(chunks === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(chunks)));
    request.on('error', () => reject(servingErrors.REQUEST_MALFORMED('the request ended before its body')));
  });
}
