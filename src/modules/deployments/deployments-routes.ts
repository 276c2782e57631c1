import type { FastifyInstance } from 'fastify';
import { flushDeployment, getDeployment, listDeployments, listRevisions } from '#contracts/deployments';
import type { TidemillEvent } from '#contracts/event-types';
import { defaultPageLimit } from '#contracts/page';
import type { Database } from '#platform/database';
import type { EventLog } from '#platform/events';
import { registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { viewDeployment, viewRevisions } from './deployment-views.ts';
import type { DeploymentsApi } from './deployments-service.ts';
import type { Liveness } from './live-replicas.ts';
import { publish } from './publication.ts';
import { listReplicas } from './replica-store.ts';
import { listRevisions as listStoredRevisions } from './revision-store.ts';

const defaultFlushSeconds = 60;

export function registerDeploymentRoutes(
  app: FastifyInstance,
  deps: {
    readonly database: Database;
    readonly events: Pick<EventLog, 'tail'>;
    readonly deployments: DeploymentsApi;
    readonly liveness: Liveness;
  },
): void {
  const { database, events, deployments, liveness } = deps;

  registerOperation(app, listDeployments, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const found = await deployments.list(database.read, context.project, {
      limit: limit + 1,
      after: query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]),
    });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return answer(200, {
      items: await Promise.all(shown.map((one) => viewDeployment(database.read, one, liveness))),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.name]) }),
    });
  });

  registerOperation(app, getDeployment, async ({ params, query, context }, answer) => {
    const view = await readUntil({
      events,
      read: async () =>
        viewDeployment(database.read, await deployments.get(database.read, context.project, params.name), liveness),
      isOver: ({ status }) => status.settled,
      concerns: ({ type }) => type.startsWith('deployment.'),
      waitMs: (query.wait ?? 0) * 1000,
      signal: context.signal,
    });
    return answer(200, view);
  });

  registerOperation(app, listRevisions, async ({ params, query, context }, answer) => {
    const { name } = await deployments.get(database.read, context.project, params.name);
    const limit = query.limit ?? defaultPageLimit;
    const found = await listStoredRevisions(database.read, {
      project: context.project,
      deployment: name,
      before: query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]),
      limit: limit + 1,
    });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return answer(200, {
      items: await viewRevisions(database.read, shown),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.id]) }),
    });
  });

  registerOperation(app, flushDeployment, async ({ params, body, context }, answer) => {
    const { pool, flush } = await database.write(context.write, async (unit) => {
      const deployment = await deployments.get(unit, context.project, params.name);
      return publish(unit, deployment.pool, { flush: true });
    });
    const concerns = (event: TidemillEvent) =>
      (event.type === 'deployment.flushed' || event.type === 'deployment.replica.changed') && event.data.pool === pool;
    const live = await readUntil({
      events,
      read: async () => (await listReplicas(database.read, pool)).filter(liveness.isLive),
      isOver: (replicas) => replicas.every(({ flushed }) => flushed >= flush),
      concerns,
      waitMs: (body.timeout ?? defaultFlushSeconds) * 1000,
      signal: context.signal,
    });
    return answer(200, {
      flush,
      done: live.every(({ flushed }) => flushed >= flush),
      replicas: live.map(({ replica, flushed }) => ({ replica, flushed })),
    });
  });
}
