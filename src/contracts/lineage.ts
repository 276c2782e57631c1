import { Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineOperation } from './operation.ts';

const LineageDirection = Type.Enum(['up', 'down', 'both']);

const LineageEdge = Type.Object({
  from: Type.String({ description: 'reference of the source or cause' }),
  to: Type.String({ description: 'reference of what came of it' }),
  kind: Type.String({ description: 'trained-on, produced, scored, deployed, caused …' }),
  actor: Type.Optional(Type.String({ description: 'who wrote the fact down' })),
  at: Type.Optional(Type.String({ format: 'date-time' })),
});

const LineageGraph = Type.Object({
  root: Type.String({ description: 'where the walk began, an alias resolved to what it stands for' }),
  nodes: Type.Array(
    Type.Object({
      ref: Type.String(),
      depth: Type.Integer({ description: 'steps from the root; negative is up' }),
    }),
    { description: 'nearest first' },
  ),
  edges: Type.Array(LineageEdge),
  truncated: Type.Boolean({ description: 'more follows beyond the depth or the limit asked for' }),
  samples: Type.Array(
    Type.Object({
      ref: Type.String(),
      kind: Type.String({ description: 'of the edges that are only examples: answered' }),
      shown: Type.Integer({ description: 'how many of them the graph has' }),
      total: Type.Integer({ description: 'how many there are' }),
    }),
    { description: 'nodes with too many edges to show them all, as a revision and its predictions' },
  ),
});

export const traceLineage = defineOperation({
  id: 'lineage.trace',
  method: 'GET',
  path: '/api/v1/lineage',
  summary: 'Walk the lineage graph from a reference: up to what it came from, down to what came of it.',
  permission: 'read',
  query: Type.Object(
    {
      ref: Type.String({ minLength: 3, maxLength: 6000, description: 'model:late-arrival@champion' }),
      direction: Type.Optional(LineageDirection),
      depth: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'most steps; default 50' })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000, description: 'most nodes; default 1000' })),
    },
    { additionalProperties: false },
  ),
  responses: { 200: LineageGraph, 400: ErrorBody },
  errors: ['LINEAGE_REFERENCE_INVALID'],
});
