import type { FastifyInstance } from 'fastify';
import { traceLineage } from '#contracts/lineage';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import type { LineageApi } from './lineage-service.ts';

export function registerLineageRoutes(
  app: FastifyInstance,
  { database, api }: { readonly database: Database; readonly api: LineageApi },
): void {
  registerOperation(app, traceLineage, async ({ query, context }, answer) => {
    const { root, nodes, edges, truncated, samples } = await api.trace(database.read, context.project, query.ref, {
      direction: query.direction ?? 'both',
      ...(query.depth !== undefined && { depth: query.depth }),
      ...(query.limit !== undefined && { limit: query.limit }),
    });
    return answer(200, {
      root,
      nodes: [...nodes],
      edges: edges.map(({ from, to, kind, actor, atMs }) => ({
        from,
        to,
        kind,
        ...(actor !== undefined && { actor }),
        ...(atMs !== undefined && { at: new Date(atMs).toISOString() }),
      })),
      truncated,
      samples: [...samples],
    });
  });
}
