import { promisify } from 'node:util';
import { gunzip, inflate, inflateRaw } from 'node:zlib';
import { servingErrors } from './serving-errors.ts';

const unpackers = { gzip: promisify(gunzip), deflate: promisify(inflate), raw: promisify(inflateRaw) };

/** Never unpacks more than `maxBytes`: BODY_TOO_LARGE. `malformed` makes the error for bytes that are not of that coding. */
export async function unpackWithin(
  coding: keyof typeof unpackers,
  packed: Buffer,
  maxBytes: number,
  malformed: () => Error,
): Promise<Buffer> {
  try {
    return await unpackers[coding](packed, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw servingErrors.BODY_TOO_LARGE(maxBytes);
    throw malformed();
  }
}
