import { type Static, Type } from 'typebox';
import type { Tensor } from './tensor.ts';

/**
 * PredictionRecord v1: one a request, made by the data plane, carried by the spool (`spool-frame.ts`). Row n is
 * `<predictionId>.<n>`. This is the envelope; the tensors follow it as bytes.
 */
export const PredictionEnvelope = Type.Object({
  version: Type.Literal(1),
  predictionId: Type.String({ description: 'UUIDv7, made by the data plane' }),
  requestId: Type.String({ description: "the caller's id of the request, else the predictionId" }),
  keys: Type.Array(Type.Union([Type.String(), Type.Null()]), {
    description: 'one a row, by encodeKey; empty: none given',
  }),
  rows: Type.Integer({ minimum: 0 }),
  eventTimesMs: Type.Array(Type.Integer(), { description: 'one a row; empty: none given, and receipt counts' }),
  receivedAtMs: Type.Integer(),
  durationUs: Type.Integer({ description: 'receipt to outputs; of a shadow: its own run' }),
  project: Type.String(),
  endpoint: Type.String(),
  revision: Type.String(),
  modelRef: Type.String(),
  role: Type.Enum(['primary', 'shadow']),
  shadowOf: Type.Optional(Type.String({ description: "the primary's predictionId" })),
  reason: Type.Enum(['only', 'weighted', 'sticky', 'pinned', 'shadow'], { description: 'why this revision answered' }),
  propensity: Type.Number({ description: 'probability that the routing chose this revision' }),
  status: Type.Enum(['ok', 'error'], { description: 'error: the model ran and failed; no outputs' }),
  error: Type.Optional(Type.String()),
  principal: Type.String(),
  traceparent: Type.Optional(Type.String()),
  subject: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Null()]), { description: 'one a row' })),
  stagesUs: Type.Optional(
    Type.Object(
      { input: Type.Integer(), queue: Type.Integer(), infer: Type.Integer(), output: Type.Integer() },
      {
        description:
          'where the time went from the last byte on: reading and joining inputs, waiting, the run (shared by its batch), handing out',
      },
    ),
  ),
  branches: Type.Optional(
    Type.Record(Type.String(), Type.Array(Type.String()), {
      description:
        "of a graph, by node: which branch each row took, '' where it did not come by; one entry when all took the same",
    }),
  ),
  cached: Type.Optional(Type.Boolean({ description: 'answered from the cache: the model did not run; default false' })),
  difference: Type.Optional(
    Type.Object(
      {
        rows: Type.Integer({ description: 'whose outputs are not the same' }),
        maxAbs: Type.Number({ description: 'greatest distance of two numbers, finite' }),
      },
      { description: "of a shadow: how its outputs differ from the primary's, output by output of the same name" },
    ),
  ),
  redacted: Type.Optional(
    Type.Array(Type.String(), {
      description: 'what the endpoint keeps out of its records: inputs, outputs, and columns or places inside of them',
    }),
  ),
});
export type PredictionEnvelope = Static<typeof PredictionEnvelope>;

/** A tensor as a record has it. */
export interface RecordedTensor extends Tensor {
  /** Places of each row that are kept out of the record: the data have NaN, 0 or the empty text there. */
  readonly withheld?: readonly number[];
}

export interface PredictionRecord extends PredictionEnvelope {
  readonly inputs: readonly RecordedTensor[];
  readonly outputs: readonly RecordedTensor[];
}
