import type { FastifyInstance } from 'fastify';
import type { GraphSpec } from '#contracts/graph-document';
import { modelNodesOf } from '#contracts/graph-wiring';
import { parseReference } from '#contracts/references';
import type { Consumer } from '#platform/events';
import type { ResourceKind } from '#platform/resource-kind';
import { createGraphMaker } from './graph-maker.ts';
import { listGraphsOf, updateGraph } from './graph-store.ts';
import type { GraphsDeps } from './graphs-deps.ts';
import { createGraphsKind } from './graphs-kind.ts';
import { registerGraphRoutes } from './graphs-routes.ts';

export interface GraphsModule {
  readonly id: 'graphs';
  readonly kind: ResourceKind<GraphSpec>;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Graphs of models, whose versions are made of versions of others. */
export function createGraphsModule(deps: GraphsDeps): GraphsModule {
  const maker = createGraphMaker(deps);
  return {
    id: 'graphs',
    kind: createGraphsKind(deps, () => maker.wake()),
    consumers: [
      {
        name: 'graphs.follow',
        types: ['registry.alias.moved', 'model.version.created'],
        async handle(unit, event) {
          if (event.type !== 'registry.alias.moved' && event.type !== 'model.version.created') return;
          const { model } = event.data;
          const names =
            event.type === 'registry.alias.moved' ? [event.data.alias] : ['latest', String(event.data.version)];
          for (const graph of await listGraphsOf(unit, event.project)) {
            const isMeant = modelNodesOf(graph.spec).some(([, node]) => {
              const reference = parseReference(node.model ?? '');
              return reference?.name === model && names.includes(reference.at ?? '');
            });
            if (isMeant) await updateGraph(unit, graph, { state: 'pending' });
          }
          unit.afterCommit(() => maker.wake());
        },
      },
    ],
    routes: (app) => registerGraphRoutes(app, deps.database),
    async start() {
      maker.start();
    },
    stop: () => maker.stop(),
  };
}
