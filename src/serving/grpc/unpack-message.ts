import type { RequestMemory } from '../request-memory.ts';
import { unpackWithin } from '../unpack-within.ts';
import { grpcErrors } from './grpc-errors.ts';

/** A message as it was before `grpc-encoding`, at most so long, whose bytes are taken from memory. */
export async function unpackMessage(
  packed: Buffer,
  encoding: string | undefined,
  maxBytes: number,
  memory: RequestMemory,
): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity')
    throw grpcErrors.MESSAGE_MALFORMED('a message is compressed, and no grpc-encoding says how');
  if (encoding !== 'gzip' && encoding !== 'deflate')
    throw grpcErrors.CALL_NOT_SUPPORTED(
      `messages in "${encoding.slice(0, 50)}" are not read; send them as they are, or in gzip or deflate`,
    );
  return unpackWithin(encoding, packed, maxBytes, memory, () =>
    grpcErrors.MESSAGE_MALFORMED('a message is not compressed as grpc-encoding says'),
  );
}
