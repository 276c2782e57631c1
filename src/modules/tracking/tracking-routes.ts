import type { FastifyInstance } from 'fastify';
import { toMetricNumber } from '#contracts/metric-number';
import { toRfc3339 } from '#contracts/rfc3339';
import {
  countTrackingRuns,
  type ExperimentView,
  getExperiment,
  getLoggedModel,
  getTrackingRun,
  type LoggedModelView,
  listExperiments,
  listLoggedModels,
  listTrackingRuns,
  searchTrackingRuns,
  type TrackingRunView,
} from '#contracts/tracking';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { parseIds, parseRunFields, toCursorParts, toPosition } from './light-search.ts';
import { parseOrderings } from './search-grammar.ts';
import type { LoggedModelQuery } from './search-read-model.ts';
import type { TrackingApi } from './tracking-api.ts';
import { trackingErrors } from './tracking-errors.ts';
import type { Experiment, LoggedModel, Run } from './tracking-types.ts';

function toExperimentView(experiment: Experiment): ExperimentView {
  return {
    id: experiment.experimentId,
    name: experiment.name,
    lifecycle: experiment.lifecycle,
    artifactLocation: experiment.artifactLocation,
    createdAt: toRfc3339(experiment.createdMs),
    // nothing of it changes while it is deleted
    ...(experiment.lifecycle === 'deleted' && { deletedAt: toRfc3339(experiment.updatedMs) }),
    tags: [...experiment.tags],
  };
}

function toRunView({ info, metrics, params, tags }: Run): TrackingRunView {
  return {
    id: info.runId,
    experimentId: info.experimentId,
    name: info.name,
    status: info.status,
    user: info.userId,
    startedAt: toRfc3339(info.startMs),
    ...(info.endMs !== undefined && { endedAt: toRfc3339(info.endMs) }),
    ...(info.deletedMs !== undefined && { deletedAt: toRfc3339(info.deletedMs) }),
    ...(info.parentRunId !== undefined && { parentRunId: info.parentRunId }),
    metrics: metrics.map(({ key, value, step, timestampMs }) => ({
      key,
      value: toMetricNumber(value),
      step,
      at: toRfc3339(timestampMs),
    })),
    params: [...params],
    tags: [...tags],
  };
}

const statusOf = {
  LOGGED_MODEL_PENDING: 'PENDING',
  LOGGED_MODEL_READY: 'READY',
  LOGGED_MODEL_UPLOAD_FAILED: 'UPLOAD_FAILED',
} as const;

function toLoggedModelView(model: LoggedModel): LoggedModelView {
  return {
    id: model.modelId,
    experimentId: model.experimentId,
    name: model.name,
    ...(model.modelType !== '' && { type: model.modelType }),
    status: statusOf[model.status],
    ...(model.statusMessage !== '' && { message: model.statusMessage }),
    ...(model.sourceRunId !== undefined && { run: model.sourceRunId }),
    createdAt: toRfc3339(model.createdMs),
    updatedAt: toRfc3339(model.updatedMs),
    ...(model.deletedMs !== undefined && { deletedAt: toRfc3339(model.deletedMs) }),
    metrics: model.metrics.map(({ key, value, step, timestampMs, datasetName }) => ({
      key,
      value: toMetricNumber(value),
      step,
      at: toRfc3339(timestampMs),
      ...(datasetName !== '' && { dataset: datasetName }),
    })),
    params: [...model.params],
    tags: [...model.tags],
  };
}

const toLifecycle = (asked: 'active' | 'deleted' | 'all' | undefined) =>
  asked === 'all' ? undefined : (asked ?? 'active');

const toOffset = (cursor: string | undefined) => (cursor === undefined ? 0 : Number(decodeCursor(cursor)[0]) || 0);

/** Of models that are ordered by something of theirs the cursor counts those before, else it names the last of them. */
function toLoggedModelPage(cursor: string | undefined): Pick<LoggedModelQuery, 'offset' | 'after'> {
  const [first, modelId] = cursor === undefined ? [] : decodeCursor(cursor);
  return modelId === undefined
    ? { offset: Number(first) || 0 }
    : { after: { createdMs: Number(first) || 0, modelId: String(modelId) } };
}

interface SearchFields {
  readonly filter?: string;
  readonly order?: string;
  readonly fields?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly lifecycle?: 'active' | 'deleted' | 'all';
}

export function registerTrackingRoutes(app: FastifyInstance, database: Database, api: TrackingApi): void {
  registerLoggedModelRoutes(app, database, api);
  async function search(project: string, experimentIds: readonly string[] | undefined, query: SearchFields) {
    const { items, next } = await api.searchRuns(database.longRead, {
      project,
      experimentIds,
      lifecycle: toLifecycle(query.lifecycle),
      filter: query.filter,
      orderBy: parseOrderings(query.order ?? ''),
      fields: parseRunFields(query.fields),
      limit: query.limit ?? 50,
      ...(query.cursor !== undefined && { after: toPosition(decodeCursor(query.cursor)) }),
    });
    return { items: items.map(toRunView), ...(next !== undefined && { next: encodeCursor(toCursorParts(next)) }) };
  }

  registerOperation(app, listExperiments, async ({ query, context }, answer) => {
    const offset = toOffset(query.cursor);
    const limit = query.limit ?? 50;
    const { items, more } = await api.searchExperiments(database.read, {
      project: context.project,
      lifecycle: toLifecycle(query.lifecycle),
      limit,
      offset,
    });
    return answer(200, { items: items.map(toExperimentView), ...(more && { next: encodeCursor([offset + limit]) }) });
  });

  registerOperation(app, getExperiment, async ({ params, context }, answer) => {
    const experiment = await api.experiment(database.read, context.project, params.experimentId);
    if (experiment === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(params.experimentId);
    return answer(200, toExperimentView(experiment));
  });

  registerOperation(app, listTrackingRuns, async ({ params, query, context }, answer) => {
    const experiment = await api.experiment(database.read, context.project, params.experimentId);
    if (experiment === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(params.experimentId);
    return answer(200, await search(context.project, [params.experimentId], query));
  });

  registerOperation(app, searchTrackingRuns, async ({ query, context }, answer) =>
    answer(200, await search(context.project, parseIds(query.experiments), query)),
  );

  registerOperation(app, countTrackingRuns, async ({ query, context }, answer) => {
    const count = await api.countRuns(database.longRead, {
      project: context.project,
      experimentIds: parseIds(query.experiments),
      filter: query.filter,
      lifecycle: toLifecycle(query.lifecycle),
    });
    return answer(200, { count });
  });

  registerOperation(app, getTrackingRun, async ({ params, context }, answer) => {
    const run = await api.run(database.read, context.project, params.runId);
    if (run === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(params.runId);
    return answer(200, toRunView(run));
  });
}

function registerLoggedModelRoutes(app: FastifyInstance, database: Database, api: TrackingApi): void {
  registerOperation(app, listLoggedModels, async ({ query, context }, answer) => {
    const orderBy = parseOrderings(query.order ?? '');
    const limit = query.limit ?? 50;
    const page = toLoggedModelPage(query.cursor);
    const { items, more } = await api.searchLoggedModels(database.read, {
      project: context.project,
      experimentIds: parseIds(query.experiments),
      lifecycle: toLifecycle(query.lifecycle),
      filter: query.filter,
      orderBy,
      limit,
      ...page,
    });
    const last = items.at(-1);
    const next =
      orderBy.length > 0 || last === undefined ? [(page.offset ?? 0) + limit] : [last.createdMs, last.modelId];
    return answer(200, { items: items.map(toLoggedModelView), ...(more && { next: encodeCursor(next) }) });
  });

  registerOperation(app, getLoggedModel, async ({ params, context }, answer) => {
    const model = await api.anyLoggedModel(database.read, context.project, params.modelId);
    if (model === undefined) throw trackingErrors.LOGGED_MODEL_NOT_FOUND(params.modelId);
    return answer(200, toLoggedModelView(model));
  });
}
