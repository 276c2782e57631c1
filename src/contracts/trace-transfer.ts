import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineOperation } from './operation.ts';

/*
 * Traces in the bulk API (transfer.ts has the rules): a trace that comes again is brought up to date, its spans replace
 * themselves, and none of it counts as a trace that has ended now.
 */

const strict = { additionalProperties: false } as const;
const record = <P extends TProperties>(fields: P): TObject<P> => Type.Object(fields, strict);

const Ms = Type.Integer({ description: 'milliseconds since 1970, UTC' });
const Ns = Type.String({ pattern: '^\\d{1,20}$', description: 'nanoseconds since 1970, UTC' });
const SpanId = Type.String({ pattern: '^[0-9a-f]{16}$' });
const TraceId = Type.String({ pattern: '^[\\w-]{1,100}$' });
const Pair = record({ key: Type.String({ maxLength: 1000 }), value: Type.String() });
/**
 * A text, a boolean or null as it is; an integer as a number, or `{ "i": "…" }` beyond 2^53; a double as `{ "d": 1.5 }`;
 * bytes as `{ "x": base64 }`; a list; a map as `{ "m": [[key, value], …] }`.
 */
const Attributes = Type.Array(record({ key: Type.String(), value: Type.Unknown() }));

export const SpanRecord = record({
  id: SpanId,
  parentId: Type.Optional(SpanId),
  name: Type.String(),
  kind: Type.Integer({ minimum: 0, maximum: 1000, description: 'of OpenTelemetry; 0: not said' }),
  startNs: Ns,
  endNs: Ns,
  status: Type.Enum(['UNSET', 'OK', 'ERROR']),
  message: Type.String(),
  traceState: Type.String(),
  attributes: Attributes,
  events: Type.Array(record({ name: Type.String(), timeNs: Ns, attributes: Attributes })),
  links: Type.Array(
    record({ traceId: Type.String({ pattern: '^[0-9a-f]{32}$' }), spanId: SpanId, attributes: Attributes }),
  ),
});
export type SpanRecord = Static<typeof SpanRecord>;

export const AssessmentRecord = record({
  id: Type.String({ pattern: '^[\\w-]{1,100}$' }),
  kind: Type.Enum(['feedback', 'expectation', 'issue']),
  name: Type.String(),
  value: Type.Optional(Type.Unknown()),
  error: Type.Optional(
    record({
      code: Type.String(),
      message: Type.Optional(Type.String()),
      stackTrace: Type.Optional(Type.String()),
    }),
  ),
  sourceType: Type.String(),
  sourceId: Type.String(),
  rationale: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
  spanId: Type.Optional(Type.String()),
  overrides: Type.Optional(Type.String()),
  valid: Type.Boolean(),
  createdMs: Ms,
  updatedMs: Ms,
});
export type AssessmentRecord = Static<typeof AssessmentRecord>;

export const TraceRecord = record({
  id: TraceId,
  experimentId: Type.String({ description: 'of this project' }),
  clientRequestId: Type.Optional(Type.String()),
  state: Type.Enum(['STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS']),
  requestMs: Ms,
  durationMs: Type.Optional(Ms),
  requestPreview: Type.Optional(Type.String()),
  responsePreview: Type.Optional(Type.String()),
  tags: Type.Array(Pair),
  metadata: Type.Array(Pair),
  assessments: Type.Array(AssessmentRecord),
  /** Of a trace whose id is `tr-` and the 32 digits of its spans' own. */
  spans: Type.Array(SpanRecord),
});
export type TraceRecord = Static<typeof TraceRecord>;

/** What is really here of a trace, to be compared with what was read. */
const FoundTrace = Type.Object({
  id: Type.String(),
  state: Type.String(),
  spans: Type.Integer(),
  tags: Type.Array(Pair),
  assessments: Type.Array(Type.Object({ id: Type.String(), updatedMs: Ms })),
});
export type FoundTrace = Static<typeof FoundTrace>;

export const importTraces = defineOperation({
  id: 'traces.import-traces',
  method: 'POST',
  path: '/api/v1/transfer/traces',
  summary: 'Bring traces in, with spans and assessments; one of an equal id is brought up to date.',
  permission: 'write',
  body: record({ traces: Type.Array(TraceRecord, { maxItems: 200 }) }),
  responses: { 200: Type.Object({ items: Type.Array(FoundTrace) }), 400: ErrorBody, 404: ErrorBody },
  errors: ['TRACE_EXPERIMENT_NOT_FOUND', 'TRACE_VALUE_INVALID'],
});

export const checkTraces = defineOperation({
  id: 'traces.check-traces',
  method: 'POST',
  path: '/api/v1/transfer/traces/check',
  summary: 'Say what is really here of these traces.',
  permission: 'read',
  body: record({ ids: Type.Array(TraceId, { maxItems: 1000 }) }),
  responses: { 200: Type.Object({ items: Type.Array(FoundTrace) }), 400: ErrorBody },
});

export const exportTraces = defineOperation({
  id: 'traces.export-traces',
  method: 'GET',
  path: '/api/v1/transfer/traces',
  summary: 'Every trace of an experiment as it can be brought in again, the newest first.',
  permission: 'read',
  query: record({
    cursor: Type.Optional(Type.String({ maxLength: 4000, description: '`next` of the page before' })),
    experimentId: Type.String(),
  }),
  responses: {
    200: Type.Object({
      items: Type.Array(Type.Object({ trace: TraceRecord, artifactUri: Type.String() })),
      next: Type.Optional(Type.String()),
    }),
  },
});
