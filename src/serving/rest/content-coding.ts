import { promisify } from 'node:util';
import { deflate, gzip, type ZlibOptions } from 'node:zlib';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { unpackWithin } from '../unpack-within.ts';

type Coding = 'gzip' | 'deflate';

const packers = { gzip: promisify(gzip), deflate: promisify(deflate) };

/** Answers below this are sent as they are: what packing saves on the wire it costs in time. */
const worthwhileBytes = 16 * 1024;
/** Packed to more than this share, an answer is sent as it is. */
const worthwhileShare = 0.9;

/** Of a `Content-Encoding`. */
export const isAsItIs = (encoding: string): boolean => /^\s*(?:identity\s*)?$/i.test(encoding);

/**
 * The body as it was before `Content-Encoding`, whose bytes are taken from memory. Never unpacks more than `maxBytes`:
 * BODY_TOO_LARGE, as for a body that comes so. REQUEST_MALFORMED for another coding and for bytes that are none.
 */
export async function unpackBody(
  body: Buffer,
  encoding: string,
  maxBytes: number,
  memory: RequestMemory,
): Promise<Buffer> {
  const coding = encoding.trim().toLowerCase();
  if (coding !== 'gzip' && coding !== 'x-gzip' && coding !== 'deflate')
    throw servingErrors.REQUEST_MALFORMED(
      `a body in "${encoding.slice(0, 50)}" is not read here; send it as it is, or in gzip or deflate`,
    );
  const kind = coding === 'deflate' ? (hasZlibHead(body) ? 'deflate' : 'raw') : 'gzip';
  return unpackWithin(kind, body, maxBytes, memory, () =>
    servingErrors.REQUEST_MALFORMED(`the body is not ${coding}, as its Content-Encoding says`),
  );
}

/** HTTP means zlib by "deflate", and some send the bare stream. */
function hasZlibHead(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] ?? 0) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

export interface PackedBody {
  readonly body: Buffer;
  readonly coding: Coding;
}

/** The body as the caller asks for it by `Accept-Encoding`, where that pays; undefined: as it is. */
export async function packBody(body: Buffer, accepted: string | undefined): Promise<PackedBody | undefined> {
  if (accepted === undefined || body.length < worthwhileBytes) return undefined;
  const coding = chooseCoding(accepted);
  if (coding === undefined) return undefined;
  const options: ZlibOptions = { level: 1 };
  const packed = await packers[coding](body, options);
  return packed.length > body.length * worthwhileShare ? undefined : { body: packed, coding };
}

export function chooseCoding(accepted: string): Coding | undefined {
  let best: Coding | undefined;
  let bestQuality = 0;
  for (const part of accepted.slice(0, 1_000).split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    if (name !== 'gzip' && name !== 'deflate') continue;
    const quality = parameters.find((text) => text.startsWith('q='));
    const value = quality === undefined ? 1 : Number(quality.slice(2));
    if (value > bestQuality) [best, bestQuality] = [name, value];
  }
  return best;
}
