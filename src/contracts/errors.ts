import { type Static, Type } from 'typebox';

export { type ErrorKind, errorKinds, type KindMeaning, kindOfStatus, kindTable } from './error-kinds.ts';

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
