import { Type } from 'typebox';
import { fileFields, JsonValue, NamedInput, OutputPath, Paths } from './worker-tables.ts';

const closed = { additionalProperties: false } as const;
const Ms = Type.Integer({ minimum: 0, description: 'milliseconds' });

const viewFields = {
  name: Type.String({ minLength: 1 }),
  entity: Type.Array(Type.String(), { minItems: 1, description: 'columns, of the same name in the spine' }),
  time: Type.String({ description: 'when a row became true' }),
  created: Type.Optional(Type.String({ description: 'when a row was written: among equal times the latest counts' })),
  ttlMs: Type.Optional(Ms),
  knownAfterMs: Type.Optional(Ms),
  columns: Type.Optional(
    Type.Array(Type.String(), { minItems: 1, description: 'default: all but entity, time and created' }),
  ),
};
export const JoinView = Type.Union([
  Type.Object({ ...viewFields, paths: Paths }, closed),
  Type.Object(
    { ...viewFields, sql: Type.String({ minLength: 1, description: 'one SELECT' }), inputs: Type.Array(NamedInput) },
    closed,
  ),
]);
const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);

/**
 * The point-in-time join: one output row for each row of the spine, in its order, with a column `<view>__<column>` for each
 * feature. A row of a view may be used at the instant T when its age T - time lies in [knownAfter, ttl], both inclusive;
 * no ttl = no upper bound. Of those the greatest time counts, then the greatest created (null last), then the greatest
 * values in the order of `columns` (null last), so that the source's row order never matters. A null key or instant
 * matches nothing. A timestamp without zone is UTC; an integer is milliseconds.
 */
export const join = {
  input: Type.Object(
    {
      spine: Type.Union([
        Type.Object({ paths: Paths, at: Type.String() }, closed),
        Type.Object(
          {
            rows: Type.Array(Type.Record(Type.String(), Scalar), { minItems: 1 }),
            at: Type.String({ description: 'key of the rows: RFC 3339 or milliseconds' }),
          },
          closed,
        ),
      ]),
      views: Type.Array(JoinView, { minItems: 1 }),
      outputPath: Type.Optional(OutputPath),
    },
    closed,
  ),
  output: Type.Object({
    file: Type.Optional(Type.Object(fileFields, { description: 'with outputPath' })),
    columns: Type.Array(Type.String(), { description: 'the feature columns' }),
    values: Type.Optional(
      Type.Array(Type.Array(JsonValue), { description: 'without outputPath: the features of each row, in order' }),
    ),
    matched: Type.Record(Type.String(), Type.Integer(), { description: 'spine rows that found a row, by view' }),
  }),
};
