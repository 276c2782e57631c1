import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { MetricNumber } from './metric-number.ts';
import { defineOperation } from './operation.ts';

export const trackingEvents = defineEvents({
  'tracking-run.started': Type.Object({ runId: Type.String(), experimentId: Type.String() }),
  'tracking-run.finished': Type.Object({ runId: Type.String(), status: Type.String() }),
  'logged-model.ready': Type.Object({ modelId: Type.String(), runId: Type.Optional(Type.String()) }),
});

const Instant = Type.String({ format: 'date-time' });
const Pair = Type.Object({ key: Type.String(), value: Type.String() });

export const ExperimentView = Type.Object({
  id: Type.String({ description: 'counted per project; 0 is "Default"' }),
  name: Type.String(),
  lifecycle: Type.Enum(['active', 'deleted']),
  artifactLocation: Type.String(),
  createdAt: Instant,
  deletedAt: Type.Optional(Instant),
  tags: Type.Array(Pair),
});
export type ExperimentView = Static<typeof ExperimentView>;

export const TrackingRunView = Type.Object({
  id: Type.String(),
  experimentId: Type.String(),
  name: Type.String(),
  status: Type.String(),
  user: Type.String(),
  startedAt: Instant,
  endedAt: Type.Optional(Instant),
  deletedAt: Type.Optional(Instant),
  parentRunId: Type.Optional(Type.String()),
  /** The latest point of each metric; a number that JSON cannot carry travels as text. */
  metrics: Type.Array(
    Type.Object({
      key: Type.String(),
      value: MetricNumber,
      step: Type.Integer(),
      at: Instant,
    }),
  ),
  params: Type.Array(Pair),
  tags: Type.Array(Pair),
});
export type TrackingRunView = Static<typeof TrackingRunView>;

const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
  cursor: Type.Optional(Type.String()),
};

/** What was deleted can be restored until it is purged. */
const ofLifecycle = {
  lifecycle: Type.Optional(
    Type.Enum(['active', 'deleted', 'all'], {
      description: 'deleted: what can be restored, and what a purge would remove; default active',
    }),
  ),
};

export const listExperiments = defineOperation({
  id: 'experiments.list',
  method: 'GET',
  path: '/api/v1/experiments',
  summary: 'List the experiments of a project, newest first: those that are active, or those that were deleted.',
  permission: 'read',
  query: Type.Object({ ...pageQuery, ...ofLifecycle }, { additionalProperties: false }),
  responses: { 200: Type.Object({ items: Type.Array(ExperimentView), next: Type.Optional(Type.String()) }) },
});

const byExperiment = Type.Object({ experimentId: Type.String({ minLength: 1 }) });

export const getExperiment = defineOperation({
  id: 'experiments.get',
  method: 'GET',
  path: '/api/v1/experiments/:experimentId',
  summary: 'Show an experiment.',
  permission: 'read',
  params: byExperiment,
  responses: { 200: ExperimentView, 404: ErrorBody },
  errors: ['EXPERIMENT_NOT_FOUND'],
});

const searchErrors = ['SEARCH_FILTER_INVALID', 'SEARCH_ATTRIBUTE_UNKNOWN', 'TRACKING_VALUE_INVALID'] as const;
const whatToSearch = {
  filter: Type.Optional(Type.String({ description: "metrics.auc > 0.7 AND params.model = 'tree'" })),
};
const howToAnswer = {
  order: Type.Optional(
    Type.String({ description: 'what to order by, the first counts most: metrics.auc DESC, params.model' }),
  ),
  fields: Type.Optional(
    Type.String({
      description: 'what to answer of each run beside its own facts: metrics.auc, params, tags.team; none; default all',
    }),
  ),
};

export const listTrackingRuns = defineOperation({
  id: 'tracking-runs.list',
  method: 'GET',
  path: '/api/v1/experiments/:experimentId/runs',
  summary: 'List the runs of an experiment, newest first, or as filtered and ordered.',
  permission: 'read',
  params: byExperiment,
  query: Type.Object(
    {
      ...pageQuery,
      ...ofLifecycle,
      ...whatToSearch,
      ...howToAnswer,
    },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({ items: Type.Array(TrackingRunView), next: Type.Optional(Type.String()) }),
    400: ErrorBody,
    404: ErrorBody,
  },
  errors: ['EXPERIMENT_NOT_FOUND', ...searchErrors, 'RUN_POSITION_INVALID'],
});

const inExperiments = {
  experiments: Type.Optional(
    Type.String({ description: 'ids of experiments, separated by commas; default: all that are active' }),
  ),
};

export const searchTrackingRuns = defineOperation({
  id: 'tracking-runs.search',
  method: 'GET',
  path: '/api/v1/tracking-runs',
  summary: 'List the runs of all experiments, or of some, newest first, or as filtered and ordered.',
  permission: 'read',
  query: Type.Object(
    { ...pageQuery, ...inExperiments, ...ofLifecycle, ...whatToSearch, ...howToAnswer },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({ items: Type.Array(TrackingRunView), next: Type.Optional(Type.String()) }),
    400: ErrorBody,
  },
  errors: [...searchErrors, 'RUN_POSITION_INVALID'],
});

export const countTrackingRuns = defineOperation({
  id: 'tracking-runs.count',
  method: 'GET',
  path: '/api/v1/tracking-runs/count',
  summary: 'Count the runs of all experiments, or of some, that a filter matches.',
  permission: 'read',
  query: Type.Object({ ...inExperiments, ...ofLifecycle, ...whatToSearch }, { additionalProperties: false }),
  responses: { 200: Type.Object({ count: Type.Integer() }), 400: ErrorBody },
  errors: [...searchErrors],
});

export const getTrackingRun = defineOperation({
  id: 'tracking-runs.get',
  method: 'GET',
  path: '/api/v1/tracking-runs/:runId',
  summary: 'Show one tracking run with its latest metrics, params and tags.',
  permission: 'read',
  params: Type.Object({ runId: Type.String({ minLength: 1 }) }),
  responses: { 200: TrackingRunView, 404: ErrorBody },
  errors: ['TRACKING_RUN_NOT_FOUND'],
});

/** A model as a run has made it; what of it is registered is a version of a model of the registry. */
export const LoggedModelView = Type.Object({
  id: Type.String(),
  experimentId: Type.String(),
  name: Type.String(),
  type: Type.Optional(Type.String({ description: 'what kind of model it is, as its client says' })),
  status: Type.Enum(['PENDING', 'READY', 'UPLOAD_FAILED']),
  message: Type.Optional(Type.String({ description: 'why it is not ready' })),
  run: Type.Optional(Type.String({ description: 'the run that made it' })),
  createdAt: Instant,
  updatedAt: Instant,
  deletedAt: Type.Optional(Instant),
  /** The latest point of each metric, on each data set that it was measured on. */
  metrics: Type.Array(
    Type.Object({
      key: Type.String(),
      value: MetricNumber,
      step: Type.Integer(),
      at: Instant,
      dataset: Type.Optional(Type.String()),
    }),
  ),
  params: Type.Array(Pair),
  tags: Type.Array(Pair),
});
export type LoggedModelView = Static<typeof LoggedModelView>;

export const listLoggedModels = defineOperation({
  id: 'logged-models.list',
  method: 'GET',
  path: '/api/v1/logged-models',
  summary: 'List the logged models of all experiments, or of some, newest first, or as filtered and ordered.',
  permission: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      ...inExperiments,
      ...ofLifecycle,
      filter: Type.Optional(Type.String({ description: "metrics.auc > 0.7 AND attributes.name = 'forest'" })),
      order: howToAnswer.order,
    },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({ items: Type.Array(LoggedModelView), next: Type.Optional(Type.String()) }),
    400: ErrorBody,
  },
  errors: [...searchErrors],
});

export const getLoggedModel = defineOperation({
  id: 'logged-models.get',
  method: 'GET',
  path: '/api/v1/logged-models/:modelId',
  summary: 'Show one logged model, deleted or not, with its latest metrics, params and tags.',
  permission: 'read',
  params: Type.Object({ modelId: Type.String({ minLength: 1 }) }),
  responses: { 200: LoggedModelView, 404: ErrorBody },
  errors: ['LOGGED_MODEL_NOT_FOUND'],
});
