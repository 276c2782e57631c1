export type { Edge, NewEdge } from './edge-store.ts';
export type { Node } from './graph-walk.ts';
export { createLineageModule, type LineageModule } from './lineage-module.ts';
export type {
  AliasResolver,
  EdgeResolver,
  LineageApi,
  LineageGraph,
  ResolverQuery,
  TraceOptions,
} from './lineage-service.ts';
