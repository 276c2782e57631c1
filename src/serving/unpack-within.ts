import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import type { RequestMemory } from './request-memory.ts';
import { servingErrors } from './serving-errors.ts';

const unpackers = { gzip: createGunzip, deflate: createInflate, raw: createInflateRaw };

/**
 * What it makes is taken from memory as it comes (SERVER_BUSY), and never more than `maxBytes` (BODY_TOO_LARGE): a few bytes may
 * say that millions come. `malformed` makes the error for bytes that are not of that coding.
 */
export function unpackWithin(
  coding: keyof typeof unpackers,
  packed: Buffer,
  maxBytes: number,
  memory: RequestMemory,
  malformed: () => Error,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const unpacker = unpackers[coding]();
    const parts: Buffer[] = [];
    let taken = 0;
    const fail = (error: Error): void => {
      memory.give(taken);
      unpacker.destroy();
      reject(error);
    };
    unpacker.on('data', (part: Buffer) => {
      if (taken + part.length > maxBytes) return fail(servingErrors.BODY_TOO_LARGE(maxBytes));
      try {
        memory.take(part.length);
      } catch (error) {
        return fail(error as Error);
      }
      taken += part.length;
      parts.push(part);
    });
    unpacker.on('error', () => fail(malformed()));
    unpacker.on('end', () => resolve(Buffer.concat(parts, taken)));
    unpacker.end(packed);
  });
}
