import { promisify } from 'node:util';
import { gunzip, type InputType, inflate, inflateRaw, type ZlibOptions } from 'node:zlib';
import { malformed, otlpErrors } from './otlp-errors.ts';

/** Of what arrives, and of what it becomes when decompressed: a few bytes may stand for gigabytes. */
export const bodyLimitBytes = 64 * 1024 * 1024;

type Decompress = (body: InputType, options: ZlibOptions) => Promise<Buffer>;
const asked = {
  gunzip: promisify<InputType, ZlibOptions, Buffer>(gunzip),
  inflate: promisify<InputType, ZlibOptions, Buffer>(inflate),
  inflateRaw: promisify<InputType, ZlibOptions, Buffer>(inflateRaw),
};

async function decompress(body: Buffer, ways: readonly Decompress[]): Promise<Buffer> {
  for (const way of ways)
    try {
      return await way(body, { maxOutputLength: bodyLimitBytes });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
        throw otlpErrors.OTLP_TOO_LARGE(bodyLimitBytes, 'bytes');
    }
  throw malformed('the body cannot be decompressed');
}

/** The body as it was before `Content-Encoding`; never more than the limit. */
export async function decodeBody(body: Buffer, encoding: string | undefined): Promise<Buffer> {
  switch (encoding?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return body;
    case 'gzip':
      return decompress(body, [asked.gunzip]);
    case 'deflate': // with or without the header of zlib: programs differ
      return decompress(body, [asked.inflate, asked.inflateRaw]);
    default:
      throw malformed(`the Content-Encoding is not supported: gzip and deflate are`);
  }
}
