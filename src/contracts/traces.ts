import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';

export const tracesEvents = defineEvents({
  'trace.finished': Type.Object({ traceId: Type.String(), experimentId: Type.String(), state: Type.String() }),
  'trace.assessed': Type.Object({ traceId: Type.String(), assessmentId: Type.String(), kind: Type.String() }),
  'traces.deleted': Type.Object({ experimentId: Type.String(), count: Type.Integer() }),
});

const Instant = Type.String({ format: 'date-time' });
const Texts = Type.Record(Type.String(), Type.String());

const AssessmentView = Type.Object({
  id: Type.String(),
  kind: Type.Enum(['feedback', 'expectation', 'issue']),
  name: Type.String(),
  value: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.String()),
  source: Type.String({ description: 'HUMAN ann@example.com, LLM_JUDGE gpt-4, CODE' }),
  rationale: Type.Optional(Type.String()),
  span: Type.Optional(Type.String()),
  valid: Type.Boolean({ description: 'false when another one replaces it' }),
  at: Instant,
});

const traceFields = {
  id: Type.String(),
  experimentId: Type.String(),
  name: Type.Optional(Type.String()),
  state: Type.Enum(['STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS']),
  startedAt: Instant,
  durationMs: Type.Optional(Type.Integer()),
  request: Type.Optional(Type.String({ description: 'the beginning of what was asked' })),
  response: Type.Optional(Type.String({ description: 'the beginning of what was answered' })),
  session: Type.Optional(Type.String()),
  user: Type.Optional(Type.String()),
  tokens: Type.Optional(Type.Integer()),
  tags: Texts,
  metadata: Texts,
  assessments: Type.Array(AssessmentView),
};
export const TraceView = Type.Object(traceFields);
export type TraceView = Static<typeof TraceView>;

const SpanView = Type.Object({
  id: Type.String(),
  parent: Type.Optional(Type.String()),
  name: Type.String(),
  type: Type.String(),
  status: Type.Enum(['UNSET', 'OK', 'ERROR']),
  message: Type.Optional(Type.String()),
  startedAt: Instant,
  durationMs: Type.Optional(Type.Number()),
  attributes: Type.Record(Type.String(), Type.Unknown()),
  events: Type.Array(
    Type.Object({ name: Type.String(), at: Instant, attributes: Type.Record(Type.String(), Type.Unknown()) }),
  ),
});
export const TraceWithSpans = Type.Object({
  ...traceFields,
  spans: Type.Array(SpanView, { description: 'the root first, then by start' }),
});
export type TraceWithSpans = Static<typeof TraceWithSpans>;

export const listTraces = defineOperation({
  id: 'traces.list',
  method: 'GET',
  path: '/api/v1/traces',
  summary: 'List the traces of a project, newest first, or those that a filter finds.',
  permission: 'read',
  query: Type.Object(
    {
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
      cursor: Type.Optional(Type.String()),
      experiment: Type.Optional(Type.String({ description: 'the id of one; default: all of the project' })),
      filter: Type.Optional(Type.String({ description: "status = 'ERROR' AND span.type = 'LLM'" })),
    },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({ items: Type.Array(TraceView), next: Type.Optional(Type.String()) }),
    400: ErrorBody,
  },
  errors: ['TRACE_FILTER_INVALID', 'SEARCH_FILTER_INVALID'],
});

export const getTrace = defineOperation({
  id: 'traces.get',
  method: 'GET',
  path: '/api/v1/traces/:traceId',
  summary: 'Show a trace with its spans and what was said of it.',
  permission: 'read',
  sensitive: 'trace',
  params: Type.Object({ traceId: Type.String({ minLength: 1 }) }),
  responses: { 200: TraceWithSpans, 404: ErrorBody },
  errors: ['TRACE_NOT_FOUND'],
});
