import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import { grpcErrors } from './grpc-errors.ts';

const unpackers = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/** A message as it was before `grpc-encoding`, at most so long. What it took from memory is given back, and what it takes now taken. */
export async function unpackMessage(
  packed: Buffer,
  encoding: string | undefined,
  maxBytes: number,
  memory: RequestMemory,
): Promise<Buffer> {
  let message: Buffer;
  try {
    if (encoding === undefined || encoding === 'identity')
      throw grpcErrors.MESSAGE_MALFORMED('a message is compressed, and no grpc-encoding says how');
    if (encoding !== 'gzip' && encoding !== 'deflate')
      throw grpcErrors.CALL_NOT_SUPPORTED(
        `messages in "${encoding.slice(0, 50)}" are not read; send them as they are, or in gzip or deflate`,
      );
    message = await unpack(unpackers[encoding], packed, maxBytes);
  } finally {
    memory.give(packed.length);
  }
  memory.take(message.length);
  return message;
}

async function unpack(
  unpacker: (typeof unpackers)[keyof typeof unpackers],
  packed: Buffer,
  maxBytes: number,
): Promise<Buffer> {
  try {
    return await unpacker(packed, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw servingErrors.BODY_TOO_LARGE(maxBytes);
    throw grpcErrors.MESSAGE_MALFORMED('a message is not compressed as grpc-encoding says');
  }
}
