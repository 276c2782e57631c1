import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AppError, kindTable } from '#platform/errors';

export type OtlpEncoding = 'protobuf' | 'json';
const mediaTypes = { protobuf: 'application/x-protobuf', json: 'application/json' } as const;

/** How a request is written, and so its answer; undefined when it says neither. */
export function encodingOf(request: FastifyRequest): OtlpEncoding | undefined {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === mediaTypes.protobuf || type === 'application/protobuf') return 'protobuf';
  return type === mediaTypes.json ? 'json' : undefined;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80);
    left = Math.floor(left / 0x80);
  }
  return Buffer.from([...bytes, left]);
}

const numberField = (number: number, value: number) => Buffer.concat([varint(number * 8), varint(value)]);
function bytesField(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
}

function send(reply: FastifyReply, encoding: OtlpEncoding, protobuf: Buffer, json: object): FastifyReply {
  void reply.type(mediaTypes[encoding]);
  return reply.send(encoding === 'protobuf' ? protobuf : JSON.stringify(json));
}

/** `ExportTraceServiceResponse`: nothing, or how many spans were not kept and why. */
export function sendExported(
  reply: FastifyReply,
  encoding: OtlpEncoding,
  { rejected, reason }: { readonly rejected: number; readonly reason: string },
): FastifyReply {
  if (rejected === 0) return send(reply, encoding, Buffer.alloc(0), {});
  const partial = Buffer.concat([numberField(1, rejected), bytesField(2, Buffer.from(reason))]);
  return send(reply, encoding, bytesField(1, partial), {
    partialSuccess: { rejectedSpans: String(rejected), errorMessage: reason },
  });
}

/** An error as `google.rpc.Status`, whose codes are gRPC's. */
export function renderOtlpError(error: AppError, request: FastifyRequest, reply: FastifyReply): unknown {
  const encoding = encodingOf(request) ?? 'json';
  const code = kindTable[error.kind].grpc;
  void reply.type(mediaTypes[encoding]);
  return encoding === 'protobuf'
    ? Buffer.concat([numberField(1, code), bytesField(2, Buffer.from(error.message))])
    : { code, message: error.message };
}
