import { type Static, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';
import { namePattern } from './references.ts';
import { ComparedGroup, PredictionRole } from './worker-predictions.ts';

export const monitoringEvents = defineEvents({
  'monitor.changed': Type.Object({ monitor: Type.String(), generation: Type.Integer() }),
  'window.closed': Type.Object({
    monitor: Type.String(),
    windowId: Type.String(),
    startMs: Type.Integer(),
    endMs: Type.Integer(),
    predictions: Type.Integer(),
    labelled: Type.Integer(),
  }),
});

const closed = { additionalProperties: false } as const;
const Duration = Type.String({ pattern: durationPattern, description: 'a duration: 1h, 1d, 28d' });
const Instant = Type.String({ format: 'date-time' });

/** Metrics of a binary classifier that a monitor can hold to a target. */
export const monitoredMetrics = [
  'auc',
  'log_loss',
  'brier',
  'f1',
  'accuracy',
  'precision',
  'recall',
  'calibration_error',
] as const;
export type MonitoredMetric = (typeof monitoredMetrics)[number];

const Target = Type.Optional(
  Type.String({ pattern: '^(>=|<=)\\s*-?\\d+(\\.\\d+)?$', description: 'what it must keep: ">= 0.70", "<= 0.5"' }),
);

/** One monitor of tidemill.yaml. */
export const MonitorSpec = Type.Object(
  {
    deployment: Type.Optional(
      Type.String({ pattern: namePattern, description: "what is watched; default: the monitor's name" }),
    ),
    truth: Type.Optional(
      Type.Object(
        {
          dataset: Type.String({ pattern: namePattern }),
          key: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
            description: 'columns that make the key of a prediction, in order',
          }),
          time: Type.String({ description: 'column that holds the event time of the prediction' }),
          value: Type.String({ minLength: 1, description: 'SQL expression of what happened; null means never known' }),
          delay: Type.Optional(
            Type.String({
              pattern: durationPattern,
              description: 'how long after the event it is known; default none',
            }),
          ),
        },
        { ...closed, description: 'what really happened, from a dataset; without it truth is pushed' },
      ),
    ),
    drift: Type.Optional(
      Type.Union(
        [
          Type.Enum(['auto', 'off']),
          Type.Object(
            {
              window: Type.Optional(Duration),
              alpha: Type.Optional(
                Type.Number({
                  exclusiveMinimum: 0,
                  exclusiveMaximum: 1,
                  description: 'share of false findings; default 0.05',
                }),
              ),
              min_effect: Type.Optional(
                Type.Number({
                  minimum: 0,
                  maximum: 1,
                  description: "least D, Cramer's V or difference of the missing shares that matters; default 0.1",
                }),
              ),
              min_rows: Type.Optional(Type.Integer({ minimum: 1, description: 'default 100' })),
            },
            closed,
          ),
        ],
        { description: 'inputs and scores beside the training data; default auto' },
      ),
    ),
    performance: Type.Optional(
      Type.Object(
        {
          auc: Target,
          log_loss: Target,
          brier: Target,
          f1: Target,
          accuracy: Target,
          precision: Target,
          recall: Target,
          calibration_error: Target,
          window: Type.Optional(Duration),
          min_labelled: Type.Optional(
            Type.Integer({ minimum: 1, description: 'least predictions with a known truth; default 500' }),
          ),
          confidence: Type.Optional(
            Type.Number({
              minimum: 0.5,
              exclusiveMaximum: 1,
              description: 'of the intervals, two-sided; default 0.90',
            }),
          ),
        },
        { ...closed, description: 'targets that the version which is now champion must keep' },
      ),
    ),
    lateness: Type.Optional(
      Type.String({
        pattern: durationPattern,
        description: 'how long records are waited for after a day ends; default 1h',
      }),
    ),
  },
  { ...closed, $id: 'MonitorSpec' },
);
export type MonitorSpec = Static<typeof MonitorSpec>;

const Figure = Type.Object({
  value: Type.Number(),
  n: Type.Integer(),
  lower: Type.Optional(Type.Number()),
  upper: Type.Optional(Type.Number()),
});
export type Figure = Static<typeof Figure>;

const DriftFinding = Type.Object({
  column: Type.String({ description: 'an input; for predictions the score' }),
  state: Type.Enum(['drifted', 'stable', 'not-enough-data']),
  reason: Type.String(),
  method: Type.Optional(
    Type.Enum(['kolmogorov-smirnov', 'chi-squared', 'missing'], {
      description: '`missing`: it is the share of rows without a value that differs',
    }),
  ),
  effect: Type.Optional(
    Type.Number({ description: "D of numbers, Cramer's V of categories, difference of the missing shares; 0 to 1" }),
  ),
  psi: Type.Optional(Type.Number({ description: 'population stability index' })),
  pValue: Type.Optional(Type.Number()),
  adjustedPValue: Type.Optional(
    Type.Number({ description: 'by Benjamini and Hochberg over the tests of all columns' }),
  ),
  rows: Type.Optional(Type.Integer({ description: 'with a value' })),
  missingShare: Type.Optional(Type.Number()),
  trainingMissingShare: Type.Optional(Type.Number()),
});
export type DriftFinding = Static<typeof DriftFinding>;

/** What one model version answered in a window, in one role. */
const WindowPart = Type.Object({
  model: Type.String(),
  version: Type.Integer(),
  role: PredictionRole,
  champion: Type.Boolean({ description: 'this version is the champion when the window closes' }),
  rows: Type.Integer(),
  errors: Type.Integer(),
  labelled: Type.Integer({ description: 'rows whose truth is known' }),
  neverKnown: Type.Integer({ description: 'rows whose truth will never be known' }),
  labelledShare: Type.Number(),
  metrics: Type.Record(Type.String(), Figure),
  drift: Type.Array(DriftFinding),
  predictionDrift: Type.Optional(DriftFinding),
});
export type WindowPart = Static<typeof WindowPart>;

const Verdict = Type.Object({
  metric: Type.String(),
  target: Type.String(),
  state: Type.Enum(['ok', 'warning', 'alert', 'not-enough-data']),
  evidence: Type.Optional(Type.Enum(['interval', 'adjacent-windows'])),
  reason: Type.String(),
});
export type Verdict = Static<typeof Verdict>;

export const WindowView = Type.Object({
  id: Type.String(),
  monitor: Type.String(),
  start: Instant,
  end: Instant,
  driftStart: Type.Optional(Instant),
  model: Type.Optional(Type.String()),
  version: Type.Optional(Type.Integer({ description: 'the champion when the window closed' })),
  predictions: Type.Integer({ description: 'primary answers, of every version' }),
  labelled: Type.Integer(),
  state: Type.Enum(['ok', 'warning', 'alert', 'not-enough-data', 'off']),
  drifted: Type.Array(Type.String(), { description: "columns of the champion's inputs, and `score`" }),
  verdicts: Type.Array(Verdict),
  parts: Type.Array(WindowPart),
  closedAt: Instant,
});
export type WindowView = Static<typeof WindowView>;

/** What drifted, for people: `distance`, `origin (missing)`. */
export function labelDrifted({ drifted, parts }: Pick<WindowView, 'drifted' | 'parts'>): string[] {
  const part = parts.find(({ champion, role }) => champion && role === 'primary');
  const findings = [...(part?.drift ?? []), ...(part?.predictionDrift ? [part.predictionDrift] : [])];
  const missing = new Set(findings.filter(({ method }) => method === 'missing').map(({ column }) => column));
  return drifted.map((column) => (missing.has(column) ? `${column} (missing)` : column));
}

export const MonitorView = Type.Object({
  name: Type.String(),
  deployment: Type.String(),
  spec: MonitorSpec,
  settledAt: Type.Optional(
    Type.String({ format: 'date-time', description: "how far the deployment's clock has come" }),
  ),
  current: Type.Boolean({ description: 'all truth that is here is matched and every window that can be closed is' }),
  waitingFor: Type.Optional(Type.Enum(['deployment', 'records', 'truth', 'window', 'time'])),
  nextEnd: Type.Optional(Type.String({ format: 'date-time', description: 'end of the next window' })),
  closesAt: Type.Optional(Type.String({ format: 'date-time', description: 'event time at which it closes' })),
  last: Type.Optional(WindowView),
});
export type MonitorView = Static<typeof MonitorView>;

const byName = Type.Object({ name: Type.String({ pattern: namePattern }) });

export const listMonitors = defineOperation({
  id: 'monitors.list',
  method: 'GET',
  path: '/api/v1/monitors',
  summary: 'List the monitors of a project.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(MonitorView) },
});

export const getMonitor = defineOperation({
  id: 'monitors.get',
  method: 'GET',
  path: '/api/v1/monitors/:name',
  summary: 'Show a monitor with its newest window; with wait, once it is current or the seconds are over.',
  permission: 'read',
  params: byName,
  query: Type.Object(
    {
      wait: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 60, description: 'seconds to wait until it is current' }),
      ),
    },
    closed,
  ),
  responses: { 200: MonitorView, 404: ErrorBody },
  errors: ['MONITOR_NOT_FOUND'],
});

export const listWindows = defineOperation({
  id: 'monitors.windows',
  method: 'GET',
  path: '/api/v1/monitors/:name/windows',
  summary: 'List the closed windows of a monitor, newest first.',
  permission: 'read',
  params: byName,
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(WindowView), 404: ErrorBody },
  errors: ['MONITOR_NOT_FOUND'],
});

export const compareMonitor = defineOperation({
  id: 'monitors.comparison',
  method: 'GET',
  path: '/api/v1/monitors/:name/comparison',
  summary: 'Compare the live answers with those of a shadow on the same rows, with paired bootstrap intervals.',
  permission: 'read',
  params: byName,
  query: Type.Object(
    {
      by: Type.Optional(Type.Enum(['month', 'all'])),
      shadow: Type.Optional(
        Type.Integer({ minimum: 1, description: 'version of the shadow; default: the oldest that is one' }),
      ),
      from: Type.Optional(
        Type.String({ format: 'date-time', description: 'event time, inclusive; default: the first' }),
      ),
      to: Type.Optional(Type.String({ format: 'date-time', description: 'event time, exclusive; default: the last' })),
      seed: Type.Optional(Type.Integer({ default: 1 })),
      resamples: Type.Optional(Type.Integer({ minimum: 10, maximum: 10_000, default: 1000 })),
      confidence: Type.Optional(Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.95 })),
    },
    closed,
  ),
  responses: {
    200: Type.Object({
      monitor: Type.String(),
      shadow: Type.Optional(Type.String({ description: '`model:late-arrival@1`; absent: no shadow has answered' })),
      seed: Type.Integer(),
      confidence: Type.Number(),
      groups: Type.Array(ComparedGroup),
      total: Type.Optional(ComparedGroup),
    }),
    404: ErrorBody,
  },
  errors: ['MONITOR_NOT_FOUND'],
});
