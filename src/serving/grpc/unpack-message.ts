import type { RequestMemory } from '../request-memory.ts';
import { unpackWithin } from '../unpack-within.ts';
import { grpcErrors } from './grpc-errors.ts';

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
    message = await unpackWithin(encoding, packed, maxBytes, () =>
      grpcErrors.MESSAGE_MALFORMED('a message is not compressed as grpc-encoding says'),
    );
  } finally {
    memory.give(packed.length);
  }
  memory.take(message.length);
  return message;
}
