import { type Static, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { namePattern } from './references.ts';

export const featuresEvents = defineEvents({
  'feature-view.changed': Type.Object({ view: Type.String(), generation: Type.Integer() }),
});

const closed = { additionalProperties: false } as const;

const common = {
  entity: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
    description: 'column or columns that rows are looked up by',
  }),
  time: Type.String({ description: 'column that says when a row became true' }),
  created: Type.Optional(
    Type.String({ description: 'column that says when a row was written: among rows of equal time the latest counts' }),
  ),
  ttl: Type.Optional(
    Type.String({
      pattern: durationPattern,
      description: 'a row older than this is not used; inclusive. Default: no limit',
    }),
  ),
  known_after: Type.Optional(
    Type.String({
      pattern: durationPattern,
      description: 'how long after its time a row is known; it is not used before',
    }),
  ),
  description: Type.Optional(Type.String()),
};

/** One feature view of tidemill.yaml: columns of a dataset, or a query over datasets. */
export const FeatureViewSpec = Type.Union(
  [
    Type.Object(
      {
        dataset: Type.String({ pattern: namePattern, description: 'whose rows are looked up' }),
        columns: Type.Array(Type.String(), {
          minItems: 1,
          description: 'columns that become features; left out: all of a query but entity, time and created',
        }),
        ...common,
      },
      closed,
    ),
    Type.Object(
      {
        sql: Type.String({
          description: 'file with one SELECT over datasets by name',
        }),
        columns: Type.Optional(
          Type.Array(Type.String(), {
            minItems: 1,
            description: 'columns that become features; left out: all of a query but entity, time and created',
          }),
        ),
        ...common,
      },
      closed,
    ),
  ],
  { $id: 'FeatureViewSpec' },
);
export type FeatureViewSpec = Static<typeof FeatureViewSpec>;

export const FeatureViewView = Type.Object({
  name: Type.String(),
  spec: FeatureViewSpec,
  sql: Type.Optional(Type.String()),
  datasets: Type.Array(Type.String()),
  generation: Type.Integer(),
});
export type FeatureViewView = Static<typeof FeatureViewView>;

export const listFeatureViews = defineOperation({
  id: 'features.list',
  method: 'GET',
  path: '/api/v1/features',
  summary: 'List the feature views of a project.',
  permission: 'read',
  responses: { 200: Type.Object({ items: Type.Array(FeatureViewView) }) },
});

export const getFeatureView = defineOperation({
  id: 'features.show',
  method: 'GET',
  path: '/api/v1/features/:name',
  summary: 'Show a feature view.',
  permission: 'read',
  params: Type.Object({ name: Type.String({ pattern: namePattern }) }),
  responses: { 200: FeatureViewView, 404: ErrorBody },
  errors: ['FEATURE_VIEW_NOT_FOUND'],
});

export const getFeatures = defineOperation({
  id: 'features.get',
  method: 'POST',
  path: '/api/v1/features/get',
  summary: 'Look features up as of an instant of each row: the same point-in-time join as training uses.',
  permission: 'read',
  body: Type.Object(
    {
      views: Type.Array(Type.String(), { minItems: 1 }),
      at: Type.String({ description: 'key of the rows that holds the instant, RFC 3339' }),
      rows: Type.Array(
        Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
        {
          minItems: 1,
          maxItems: 10_000,
        },
      ),
    },
    closed,
  ),
  responses: {
    200: Type.Object({
      columns: Type.Array(Type.String(), { description: '<view>__<column>' }),
      rows: Type.Array(Type.Array(Type.Unknown()), {
        description: 'values in the order of columns, one row for each asked, in order',
      }),
      read: Type.Array(Type.String(), { description: 'references of the data that was read' }),
    }),
    400: ErrorBody,
    404: ErrorBody,
  },
  errors: ['FEATURE_VIEW_NOT_FOUND', 'FEATURE_ROW_INVALID'],
});
