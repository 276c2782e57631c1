import type { FastifyInstance } from 'fastify';
import { toMetricNumber } from '#contracts/metric-number';
import { toRfc3339 } from '#contracts/rfc3339';
import {
  countTrackingRuns,
  type ExperimentView,
  getExperiment,
  getTrackingRun,
  listExperiments,
  listTrackingRuns,
  searchTrackingRuns,
  type TrackingRunView,
} from '#contracts/tracking';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { parseIds, parseRunFields, toCursorParts, toPosition } from './light-search.ts';
import { parseOrderings } from './search-grammar.ts';
import type { TrackingApi } from './tracking-api.ts';
import { trackingErrors } from './tracking-errors.ts';
import type { Experiment, Run } from './tracking-types.ts';

function toExperimentView(experiment: Experiment): ExperimentView {
  return {
    id: experiment.experimentId,
    name: experiment.name,
    lifecycle: experiment.lifecycle,
    artifactLocation: experiment.artifactLocation,
    createdAt: toRfc3339(experiment.createdMs),
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

const toOffset = (cursor: string | undefined) => (cursor === undefined ? 0 : Number(decodeCursor(cursor)[0]) || 0);

interface SearchFields {
  readonly filter?: string;
  readonly order?: string;
  readonly fields?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

export function registerTrackingRoutes(app: FastifyInstance, database: Database, api: TrackingApi): void {
  async function search(project: string, experimentIds: readonly string[] | undefined, query: SearchFields) {
    const { items, next } = await api.searchRuns(database.longRead, {
      project,
      experimentIds,
      lifecycle: 'active',
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
      lifecycle: 'active',
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
      lifecycle: 'active',
    });
    return answer(200, { count });
  });

  registerOperation(app, getTrackingRun, async ({ params, context }, answer) => {
    const run = await api.run(database.read, context.project, params.runId);
    if (run === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(params.runId);
    return answer(200, toRunView(run));
  });
}
