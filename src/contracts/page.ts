import { type TSchema, Type } from 'typebox';

/** The fields that every list operation takes: `Type.Object({ ...pageFields, state: … })`. */
export const pageFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'most items to answer' })),
  cursor: Type.Optional(Type.String({ maxLength: 2000, description: '`next` of the page before' })),
};

/** The limit that holds when a list operation is asked without one. */
export const defaultPageLimit = 50;

/** One page of a list: `next` is there when more follows. */
export function pageOf<T extends TSchema>(item: T) {
  return Type.Object({
    items: Type.Array(item),
    next: Type.Optional(Type.String({ description: 'cursor of the next page' })),
  });
}
