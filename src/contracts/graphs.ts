import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { GraphSpec } from './graph-document.ts';
import { defineOperation } from './operation.ts';
import { namePattern } from './references.ts';

export const graphsEvents = defineEvents({
  /** It was declared, or declared otherwise. */
  'graph.changed': Type.Object({ graph: Type.String(), generation: Type.Integer() }),
  /** A version of the model of its name was made of versions of others, or found among those that there were. */
  'graph.made': Type.Object({ graph: Type.String(), version: Type.Integer(), members: Type.Array(Type.String()) }),
  /** What its models are now does not fit together, or cannot be served: the version before stays. */
  'graph.refused': Type.Object({ graph: Type.String(), reason: Type.String() }),
});

const GraphState = Type.Enum(['pending', 'made', 'waiting', 'refused'], {
  description: 'waiting: for a model that is not there yet; refused: what it names does not fit together',
});

export const GraphView = Type.Object({
  name: Type.String(),
  spec: GraphSpec,
  generation: Type.Integer(),
  state: GraphState,
  reason: Type.Optional(Type.String()),
  version: Type.Optional(Type.Integer({ description: 'of the model of its name, made last' })),
  members: Type.Array(Type.String(), { description: 'the exact versions in it: model:late-arrival@4' }),
});
export type GraphView = Static<typeof GraphView>;

export const listGraphs = defineOperation({
  id: 'graphs.list',
  method: 'GET',
  path: '/api/v1/graphs',
  summary: 'List the graphs of a project.',
  permission: 'read',
  responses: { 200: Type.Object({ items: Type.Array(GraphView) }) },
});

export const getGraph = defineOperation({
  id: 'graphs.show',
  method: 'GET',
  path: '/api/v1/graphs/:name',
  summary: 'Show a graph: what was declared, which versions are in it, and what it waits for.',
  permission: 'read',
  params: Type.Object({ name: Type.String({ pattern: namePattern }) }),
  responses: { 200: GraphView, 404: ErrorBody },
  errors: ['GRAPH_NOT_FOUND'],
});
