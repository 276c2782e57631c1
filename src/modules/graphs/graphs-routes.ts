import type { FastifyInstance } from 'fastify';
import { type GraphView, getGraph, listGraphs } from '#contracts/graphs';
import type { Database } from '#platform/database';
import { nearestName } from '#platform/errors';
import { registerOperation } from '#platform/http';
import { findGraph, type Graph, listGraphsOf } from './graph-store.ts';
import { graphsErrors } from './graphs-errors.ts';

export function registerGraphRoutes(app: FastifyInstance, database: Database): void {
  registerOperation(app, listGraphs, async ({ context }, answer) =>
    answer(200, { items: (await listGraphsOf(database.read, context.project)).map(toView) }),
  );

  registerOperation(app, getGraph, async ({ params, context }, answer) => {
    const found = await findGraph(database.read, context.project, params.name);
    if (found !== undefined) return answer(200, toView(found));
    const names = (await listGraphsOf(database.read, context.project)).map(({ name }) => name);
    throw graphsErrors.GRAPH_NOT_FOUND(params.name, nearestName(params.name, names));
  });
}

function toView({ name, spec, generation, state, reason, version, members }: Graph): GraphView {
  return {
    name,
    spec,
    generation,
    state,
    ...(reason !== undefined && { reason }),
    ...(version !== undefined && { version }),
    members: [...members],
  };
}
