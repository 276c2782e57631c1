import type { FastifyInstance } from 'fastify';
import { parseDuration } from '#contracts/duration';
import {
  experimentDeletion,
  getPurge,
  listPurges,
  loggedModelDeletion,
  type PurgePreview as PreviewView,
  type PurgeView,
  previewPurge,
  startPurge,
  trackingRunDeletion,
} from '#contracts/purge';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import type { TrackingApi } from '../tracking-api.ts';
import { trackingErrors } from '../tracking-errors.ts';
import type { PurgePreview } from './purge-service.ts';
import type { Purge } from './purge-store.ts';

const toView = (purge: Purge): PurgeView => ({
  id: purge.purgeId,
  target: purge.target,
  state: purge.state,
  ...(purge.deletedBeforeMs !== undefined && { deletedBefore: toRfc3339(purge.deletedBeforeMs) }),
  requestedBy: purge.requestedBy,
  requestedAt: toRfc3339(purge.requestedMs),
  ...(purge.endedMs !== undefined && { endedAt: toRfc3339(purge.endedMs) }),
  removed: purge.removed,
  ...(purge.failure !== undefined && {
    failure: {
      message: purge.failure.message,
      attempts: purge.failure.attempts,
      nextAttemptAt: toRfc3339(purge.failure.nextAttemptMs),
    },
  }),
});

const toPreviewView = (preview: PurgePreview): PreviewView => ({ ...preview });

/** Of what was deleted until now, unless it must have been deleted for longer; the schema has checked the duration. */
const toInstant = (olderThan: string | undefined, nowMs: number): number =>
  Math.max(0, nowMs - (olderThan === undefined ? 0 : (parseDuration(olderThan) ?? Number.POSITIVE_INFINITY)));

export function registerPurgeRoutes(
  app: FastifyInstance,
  { database, clock, api }: { readonly database: Database; readonly clock: Clock; readonly api: TrackingApi },
): void {
  registerExperimentDeletion(app, database, api);
  registerRunDeletion(app, database, api);
  registerModelDeletion(app, database, api);

  registerOperation(app, previewPurge, async ({ query, context }, answer) => {
    const deletedBeforeMs = toInstant(query.olderThan, clock.nowMs());
    const preview = await api.previewPurgeDeleted(database.read, { project: context.project, deletedBeforeMs });
    return answer(200, toPreviewView(preview));
  });

  registerOperation(app, startPurge, async ({ body, context }, answer) =>
    answer(
      202,
      await database.write(context.write, async (unit) =>
        toView(
          await api.purgeDeleted(unit, {
            project: context.project,
            deletedBeforeMs: toInstant(body.olderThan, unit.nowMs),
          }),
        ),
      ),
    ),
  );

  registerOperation(app, listPurges, async ({ query, context }, answer) => {
    const limit = query.limit ?? 50;
    const beforeId = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
    const found = await api.purges(database.read, context.project, { limit: limit + 1, beforeId });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return answer(200, {
      items: items.map(toView),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.purgeId]) }),
    });
  });

  registerOperation(app, getPurge, async ({ params, context }, answer) => {
    const purge = await api.purgeById(database.read, context.project, params.purgeId);
    if (purge === undefined) throw trackingErrors.PURGE_NOT_FOUND(params.purgeId);
    return answer(200, toView(purge));
  });
}

function registerExperimentDeletion(app: FastifyInstance, database: Database, api: TrackingApi): void {
  const { remove, restore, preview, purge } = experimentDeletion;
  registerOperation(app, remove, async ({ params: { experimentId }, context: { project, write } }, answer) => {
    await api.deleteExperimentInSteps(write, { project, experimentId });
    return answer(204, null);
  });
  registerOperation(app, restore, async ({ params: { experimentId }, context: { project, write } }, answer) => {
    await api.restoreExperimentInSteps(write, { project, experimentId });
    return answer(204, null);
  });
  registerOperation(app, preview, async ({ params: { experimentId: id }, context: { project } }, answer) =>
    answer(200, toPreviewView(await api.previewPurge(database.read, { project, kind: 'experiment', id }))),
  );
  registerOperation(app, purge, async ({ params: { experimentId: id }, body, context: { project, write } }, answer) =>
    answer(
      202,
      toView(await database.write(write, (unit) => api.purge(unit, { project, kind: 'experiment', id, ...body }))),
    ),
  );
}

function registerRunDeletion(app: FastifyInstance, database: Database, api: TrackingApi): void {
  const { remove, restore, preview, purge } = trackingRunDeletion;
  registerOperation(app, remove, async ({ params: { runId }, context: { project, write } }, answer) => {
    await database.write(write, (unit) => api.deleteRun(unit, { project, runId }));
    return answer(204, null);
  });
  registerOperation(app, restore, async ({ params: { runId }, context: { project, write } }, answer) => {
    await database.write(write, (unit) => api.restoreRun(unit, { project, runId }));
    return answer(204, null);
  });
  registerOperation(app, preview, async ({ params: { runId: id }, context: { project } }, answer) =>
    answer(200, toPreviewView(await api.previewPurge(database.read, { project, kind: 'tracking-run', id }))),
  );
  registerOperation(app, purge, async ({ params: { runId: id }, body, context: { project, write } }, answer) =>
    answer(
      202,
      toView(await database.write(write, (unit) => api.purge(unit, { project, kind: 'tracking-run', id, ...body }))),
    ),
  );
}

function registerModelDeletion(app: FastifyInstance, database: Database, api: TrackingApi): void {
  const { remove, restore, preview, purge } = loggedModelDeletion;
  registerOperation(app, remove, async ({ params: { modelId }, context: { project, write } }, answer) => {
    await database.write(write, (unit) => api.deleteLoggedModel(unit, { project, modelId }));
    return answer(204, null);
  });
  registerOperation(app, restore, async ({ params: { modelId }, context: { project, write } }, answer) => {
    await database.write(write, (unit) => api.restoreLoggedModel(unit, { project, modelId }));
    return answer(204, null);
  });
  registerOperation(app, preview, async ({ params: { modelId: id }, context: { project } }, answer) =>
    answer(200, toPreviewView(await api.previewPurge(database.read, { project, kind: 'logged-model', id }))),
  );
  registerOperation(app, purge, async ({ params: { modelId: id }, body, context: { project, write } }, answer) =>
    answer(
      202,
      toView(await database.write(write, (unit) => api.purge(unit, { project, kind: 'logged-model', id, ...body }))),
    ),
  );
}
