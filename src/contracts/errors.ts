import { type Static, Type } from 'typebox';

/** Transport-neutral kinds of failure; one table (platform/errors) maps each to HTTP, gRPC, CLI exit code and retryability. */
export const errorKinds = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'too_large',
  'rate_limited',
  'unavailable',
  'timeout',
  'internal',
] as const;
export type ErrorKind = (typeof errorKinds)[number];

/** The body of every failed answer on our own API. */
export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'stable, upper-case: RUN_NOT_FOUND' }),
      message: Type.String(),
      details: Type.Optional(Type.Unknown()),
      requestId: Type.String(),
    }),
  },
  { $id: 'ErrorBody' },
);
export type ErrorBody = Static<typeof ErrorBody>;
