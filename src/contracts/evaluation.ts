import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

export const evaluationEvents = defineEvents({
  'gate.decided': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    verdict: Type.String(),
    n: Type.Integer(),
  }),
  'evaluation-dataset.created': Type.Object({ datasetId: Type.String(), name: Type.String() }),
  'evaluation-dataset.changed': Type.Object({
    datasetId: Type.String(),
    digest: Type.String(),
    inserted: Type.Integer(),
    updated: Type.Integer(),
    deleted: Type.Integer(),
  }),
  'evaluation-dataset.removed': Type.Object({ datasetId: Type.String() }),
  'scorer.registered': Type.Object({
    scorerId: Type.String(),
    name: Type.String(),
    version: Type.Integer(),
    experimentId: Type.String(),
  }),
  'scorer.removed': Type.Object({
    scorerId: Type.String(),
    version: Type.Optional(Type.Integer({ description: 'absent: all of them' })),
  }),
});

/** Whether a required check of a promotion, `gate:auc > champion.auc`, depends on what the alias names. */
export const comparesWithChampion = (check: string): boolean => /^gate:.*\bchampion\./s.test(check);

/** The policy of the approvals by which a person decides gates that numbers cannot decide. */
export const gateOverridePolicy = 'gate-override';

/** A number with what is known of its uncertainty. */
export const MetricValue = Type.Object({
  value: Type.Number(),
  lower: Type.Optional(Type.Number({ description: 'end of the 95 % interval' })),
  upper: Type.Optional(Type.Number()),
});
export type MetricValue = Static<typeof MetricValue>;

/** What candidate and champion are scored by; gates name these. */
export const suiteMetrics = [
  'auc',
  'log_loss',
  'brier',
  'accuracy',
  'precision',
  'recall',
  'f1',
  'calibration_error',
] as const;
export type SuiteMetric = (typeof suiteMetrics)[number];

/** `suiteMetrics` by name, those that the rows allow. */
export const MetricSuite = Type.Record(Type.String(), MetricValue);
export type MetricSuite = Static<typeof MetricSuite>;

const Instant = Type.String({ format: 'date-time' });
const Cut = Type.Object({
  trainedUntil: Type.Object(
    { column: Type.String(), at: Instant },
    { description: 'time of the last row that the model was trained on' },
  ),
  rows: Type.Integer({ description: 'test rows at or before it' }),
  share: Type.Number({ description: 'of all test rows whose time is known' }),
});

/** Whether test rows lie within the time that a model was trained on: their numbers then flatter that model. */
export const TestOverlap = Type.Object({
  overlaps: Type.Enum(['champion', 'candidate', 'both', 'none', 'unknown'], {
    description: 'whose training rows reach into the test rows, of the models that were scored',
  }),
  time: Type.Optional(Type.String({ description: 'column of the test rows' })),
  testFrom: Type.Optional(Instant),
  testUntil: Type.Optional(Instant),
  candidate: Type.Optional(Cut),
  champion: Type.Optional(Cut),
  why: Type.Optional(Type.String({ description: 'why something of it is not known' })),
});
export type TestOverlap = Static<typeof TestOverlap>;

/** What scoring the test rows told. */
export const EvaluationResult = Type.Object({
  n: Type.Integer({ description: 'rows whose truth is known' }),
  unknown: Type.Integer({ description: 'rows whose truth is never known; not counted in any metric' }),
  positives: Type.Integer(),
  candidate: MetricSuite,
  champion: Type.Optional(MetricSuite),
  championError: Type.Optional(Type.String({ description: 'why the champion could not be scored on these rows' })),
  difference: Type.Optional(
    Type.Record(Type.String(), MetricValue, { description: 'candidate minus champion on the same rows, paired' }),
  ),
  user: Type.Record(Type.String(), Type.Number(), { description: "the user's own numbers" }),
  overlap: Type.Optional(TestOverlap),
});
export type EvaluationResult = Static<typeof EvaluationResult>;

export const GateDecision = Type.Object({
  gate: Type.String(),
  verdict: Type.Enum(['first', 'passed', 'failed', 'undecidable']),
  left: Type.Optional(Type.Number()),
  right: Type.Optional(Type.Number()),
  reason: Type.String(),
  waitsFor: Type.Optional(Type.Enum(['person'], { description: 'the numbers cannot decide it; a person has to' })),
});
export type GateDecision = Static<typeof GateDecision>;

export const EvaluationView = Type.Object({
  id: Type.String(),
  model: Type.String(),
  version: Type.Integer(),
  championVersion: Type.Optional(Type.Integer()),
  promotionId: Type.String(),
  state: Type.Enum(['pending', 'decided', 'failed']),
  verdict: Type.Optional(
    Type.String({ description: 'first: there was no champion; passed; failed; undecided: a person has to; error' }),
  ),
  test: Type.Optional(Type.String({ description: 'the rows, as a dataset version' })),
  label: Type.String(),
  result: Type.Optional(EvaluationResult),
  gates: Type.Array(GateDecision),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  createdAt: Instant,
  endedAt: Type.Optional(Instant),
});
export type EvaluationView = Static<typeof EvaluationView>;

export const listEvaluations = defineOperation({
  id: 'evaluations.list',
  method: 'GET',
  path: '/api/v1/evaluations',
  summary: 'List evaluations with their verdicts, newest first.',
  permission: 'read',
  query: Type.Object({ model: Type.Optional(Type.String()), ...pageFields }, { additionalProperties: false }),
  responses: { 200: pageOf(EvaluationView) },
});

export const getEvaluation = defineOperation({
  id: 'evaluations.get',
  method: 'GET',
  path: '/api/v1/evaluations/:evaluationId',
  summary: 'Show an evaluation: metrics with intervals, gates, verdict.',
  permission: 'read',
  params: Type.Object({ evaluationId: Type.String() }),
  responses: { 200: EvaluationView, 404: ErrorBody },
  errors: ['EVALUATION_NOT_FOUND'],
});
