import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { namePattern } from './references.ts';

export const predictionsEvents = defineEvents({
  'prediction.chunk.taken': Type.Object({
    endpoint: Type.String(),
    rows: Type.Integer(),
    requests: Type.Integer(),
    source: Type.String(),
    nextOffset: Type.Integer(),
  }),
  /** Records that a data plane has lost before they were delivered. */
  'prediction.chunk.lost': Type.Object({
    replica: Type.String(),
    epoch: Type.String(),
    fromOffset: Type.Integer(),
    toOffset: Type.Integer(),
  }),
  /** All that live replicas had answered when they reported this event time is in the log. At most one an event hour. */
  'prediction.settled': Type.Object({ endpoint: Type.String(), settledMs: Type.Integer() }),
  'truth.bound': Type.Object({ endpoint: Type.String(), binding: Type.String(), dataset: Type.String() }),
  'truth.recorded': Type.Object({
    endpoint: Type.String(),
    matched: Type.Integer(),
    waiting: Type.Integer(),
    changed: Type.Integer(),
  }),
});

const closed = { additionalProperties: false } as const;
const Instant = Type.String({ format: 'date-time' });

const TruthValue = Type.Union([Type.Number(), Type.Boolean(), Type.Null()], {
  description: 'what really happened: 1 or true, 0 or false, a number; null: it will never be known',
});
const observed = Type.Optional(
  Type.String({
    format: 'date-time',
    description: 'when it was observed, at most 5 minutes ahead (of a replay: any); the latest wins. Default: now',
  }),
);

export const TruthById = Type.Object(
  {
    prediction: Type.String({
      minLength: 1,
      description: 'id of the prediction, `<id>.<row>` when it has several rows',
    }),
    value: TruthValue,
    observedAt: observed,
  },
  closed,
);
export const TruthByKey = Type.Object(
  {
    key: Type.Union(
      [Type.String(), Type.Number(), Type.Array(Type.Union([Type.String(), Type.Number(), Type.Boolean()]))],
      { description: 'the key that came with the request; several values in the declared order' },
    ),
    eventTime: Type.String({ format: 'date-time', description: 'the event time that came with the request' }),
    value: TruthValue,
    observedAt: observed,
  },
  closed,
);

const PushedTruths = Type.Array(Type.Union([TruthById, TruthByKey]), { minItems: 1, maxItems: 10_000 });
export type PushedTruths = Static<typeof PushedTruths>;

export const TruthAnswer = Type.Object({
  matched: Type.Integer({ description: 'rows whose truth is known now and was not before' }),
  changed: Type.Integer({ description: 'rows that had another truth' }),
  unchanged: Type.Integer({ description: 'rows that had this truth already, or a later one' }),
  waiting: Type.Integer({ description: 'without a prediction yet: they wait for 30 days' }),
});
export type TruthAnswer = Static<typeof TruthAnswer>;

export const pushTruth = defineOperation({
  id: 'predictions.truth',
  method: 'POST',
  path: '/api/v1/predictions/truth',
  summary: 'Say what really happened, by prediction id or by key and event time.',
  permission: 'write',
  body: Type.Object(
    {
      deployment: Type.String({ pattern: namePattern }),
      truths: PushedTruths,
    },
    closed,
  ),
  responses: { 200: TruthAnswer, 202: TruthAnswer, 400: ErrorBody, 404: ErrorBody },
  errors: ['ENDPOINT_UNKNOWN', 'TRUTH_INVALID'],
});

export const PredictionView = Type.Object({
  id: Type.String(),
  project: Type.String(),
  deployment: Type.String(),
  revision: Type.String(),
  model: Type.String({ description: '`model:late-arrival@4`' }),
  role: Type.Enum(['primary', 'shadow']),
  shadowOf: Type.Optional(Type.String()),
  requestId: Type.String(),
  reason: Type.String(),
  propensity: Type.Number(),
  status: Type.Enum(['ok', 'error']),
  error: Type.Optional(Type.String()),
  principal: Type.String(),
  receivedAt: Instant,
  durationUs: Type.Integer(),
  stagesUs: Type.Optional(
    Type.Object(
      { input: Type.Integer(), queue: Type.Integer(), infer: Type.Integer(), output: Type.Integer() },
      { description: 'where the time went, when the model ran: reading, waiting, the run, handing out' },
    ),
  ),
  cached: Type.Optional(Type.Boolean({ description: 'answered from the cache' })),
  traceId: Type.Optional(Type.String({ description: 'of the trace that the request belongs to' })),
  difference: Type.Optional(
    Type.Object(
      { rows: Type.Integer(), maxAbs: Type.Number() },
      {
        description: "of a shadow: how many rows it answers otherwise than the primary, and numbers' greatest distance",
      },
    ),
  ),
  redacted: Type.Optional(
    Type.Array(Type.String(), {
      description:
        'what the deployment keeps out of its records: inputs, outputs, and columns or places inside of them',
    }),
  ),
  rows: Type.Array(
    Type.Object({
      row: Type.Integer(),
      key: Type.Optional(Type.String()),
      eventTime: Instant,
      score: Type.Optional(Type.Number()),
      branches: Type.Optional(
        Type.Record(Type.String(), Type.String(), { description: 'of a graph: the branch that it took, by node' }),
      ),
      inputs: Type.Record(Type.String(), Type.Unknown()),
      outputs: Type.Record(Type.String(), Type.Unknown()),
      truth: Type.Optional(
        Type.Object({
          value: Type.Union([Type.Number(), Type.Null()], { description: 'null: never known' }),
          observedAt: Instant,
          recordedAt: Instant,
          source: Type.String(),
        }),
      ),
    }),
  ),
});
export type PredictionView = Static<typeof PredictionView>;

export const getPrediction = defineOperation({
  id: 'predictions.get',
  method: 'GET',
  path: '/api/v1/predictions/:predictionId',
  summary: 'Show one prediction: what was asked and answered, by which model version, and what really happened.',
  permission: 'read',
  sensitive: 'prediction',
  params: Type.Object({ predictionId: Type.String({ minLength: 1, maxLength: 100 }) }),
  responses: { 200: PredictionView, 404: ErrorBody },
  errors: ['PREDICTION_NOT_FOUND'],
});

export const PredictionLogView = Type.Object({
  deployment: Type.String(),
  rows: Type.Integer({ description: 'in the log, shadows included' }),
  files: Type.Integer(),
  settledAt: Type.Optional(
    Type.String({ format: 'date-time', description: 'event time up to which all is in the log' }),
  ),
  caughtUp: Type.Boolean({
    description: 'all that the live replicas that answer here reported as written has been taken',
  }),
  truthWaiting: Type.Integer({ description: 'truths that wait for their prediction' }),
  truthUnmatched: Type.Integer({ description: 'truths that waited for 30 days in vain' }),
  truthPending: Type.Boolean({ description: 'truth or late records are still to be matched' }),
});
export type PredictionLogView = Static<typeof PredictionLogView>;

export const getPredictionLog = defineOperation({
  id: 'predictions.log',
  method: 'GET',
  path: '/api/v1/deployments/:name/predictions',
  summary: 'Show how far the prediction log of a deployment has come.',
  permission: 'read',
  params: Type.Object({ name: Type.String({ pattern: namePattern }) }),
  responses: { 200: PredictionLogView, 404: ErrorBody },
  errors: ['ENDPOINT_UNKNOWN'],
});
