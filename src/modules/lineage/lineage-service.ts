import {
  formatReference,
  parseReference,
  type Reference,
  type ReferenceKind,
  readReference,
} from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { type Edge, insertEdges, listEdgesOf, type NewEdge } from './edge-store.ts';
import { keyOf, type Node, type Walk, walkGraph } from './graph-walk.ts';
import { lineageErrors } from './lineage-errors.ts';

export interface TraceOptions {
  /** `up`: what it came from. `down`: what came of it. `both`: the two walks put together. */
  readonly direction: 'up' | 'down' | 'both';
  /** Most steps. Default 50. */
  readonly depth?: number;
  /** Most nodes beside the root, for each direction. Default 1000. */
  readonly limit?: number;
}

export interface LineageGraph extends Walk {
  /** Where the walk began, an alias resolved. */
  readonly root: string;
  /** Nodes of which only some edges are in the graph, for there are too many. */
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly ref: string;
  /** Of the edges left out. */
  readonly kind: string;
  readonly shown: number;
  readonly total: number;
}

export interface ResolvedEdges {
  readonly edges: readonly NewEdge[];
  /** How many there are in that direction, when the edges are only some of them. */
  readonly total?: number;
}

export interface ResolverQuery {
  readonly direction: 'up' | 'down';
  /** What follows `@` in the node. */
  readonly at: string | undefined;
  readonly limit: number;
}

/** Edges of a node that are not rows of the graph, because they are too many: a prediction's. */
export type EdgeResolver = (
  reader: Reader,
  project: string,
  name: string,
  query: ResolverQuery,
) => Promise<ResolvedEdges>;

/** What a reference that people write stands for: `model:late-arrival@champion` is `model:late-arrival@4`. */
export type AliasResolver = (
  reader: Reader,
  project: string,
  name: string,
  at: string | undefined,
) => Promise<string | undefined>;

/** The graph of what came of what, within a project. */
export interface LineageApi {
  /**
   * Writes edges down in the unit that creates the fact; an edge that is there already stays as it was.
   * LINEAGE_REFERENCE_INVALID.
   */
  record(unit: Unit, project: string, edges: readonly NewEdge[]): Promise<void>;
  /** The closure of a reference. LINEAGE_REFERENCE_INVALID. */
  trace(reader: Reader, project: string, reference: string, options: TraceOptions): Promise<LineageGraph>;
  /** Lets a module answer the edges of its kind from its own log, beside those recorded. One for each kind. */
  registerResolver(kind: ReferenceKind, resolve: EdgeResolver): void;
  /** Lets a module say what an alias or a bare name of its kind stands for where a walk begins. One for each kind. */
  registerAlias(kind: ReferenceKind, resolve: AliasResolver): void;
}

const defaultDepth = 50;
const defaultLimit = 1000;

function parse(text: string): Reference {
  const reference = parseReference(text);
  if (reference === undefined) throw lineageErrors.LINEAGE_REFERENCE_INVALID(text);
  return reference;
}

export function createLineageService(): LineageApi {
  const resolvers = new Map<ReferenceKind, EdgeResolver>();
  const aliases = new Map<ReferenceKind, AliasResolver>();

  async function expand(
    reader: Reader,
    project: string,
    direction: 'up' | 'down',
    refs: readonly string[],
    limit: number,
    totals: Map<string, number>,
  ): Promise<readonly Edge[]> {
    const edges = [...(await listEdgesOf(reader, project, refs, direction, limit))];
    for (const ref of refs) {
      const { kind, name, at } = parse(ref);
      const resolve = resolvers.get(kind);
      if (resolve === undefined || edges.length >= limit) continue;
      const found = await resolve(reader, project, name, { direction, at, limit: limit - edges.length });
      // A resolver may answer both sides of its node; the walk goes one way.
      const more = found.edges.filter((edge) => (direction === 'up' ? edge.to : edge.from) === ref);
      edges.push(...more);
      const [first] = more;
      if (found.total !== undefined && first !== undefined) totals.set(`${ref}\n${first.kind}`, found.total);
    }
    return edges;
  }

  return {
    async record(unit, project, edges) {
      for (const { from, to } of edges) {
        parse(from);
        parse(to);
      }
      if (edges.length > 0) await insertEdges(unit, project, edges);
    },

    async trace(reader, project, text, { direction, depth = defaultDepth, limit = defaultLimit }) {
      const asked = readReference(text);
      if (asked === undefined) throw lineageErrors.LINEAGE_REFERENCE_INVALID(text);
      const { kind, name, at } = asked;
      const root = (await aliases.get(kind)?.(reader, project, name, at)) ?? formatReference(kind, name, at);
      const totals = new Map<string, number>();
      const walk = (way: 'up' | 'down') =>
        walkGraph(root, {
          direction: way,
          depth,
          limit,
          expand: (refs, most) => expand(reader, project, way, refs, most, totals),
        });
      const walks: Walk[] = [];
      for (const way of direction === 'both' ? (['up', 'down'] as const) : [direction]) walks.push(await walk(way));
      const graph = mergeWalks(root, walks);
      return { root, ...graph, samples: samplesOf(graph.edges, totals) };
    },

    registerResolver: (kind, resolve) => void resolvers.set(kind, resolve),
    registerAlias: (kind, resolve) => void aliases.set(kind, resolve),
  };
}

/** In a cycle a node lies both up and down; it is shown once, where the first walk met it. */
function mergeWalks(root: string, walks: readonly Walk[]): Walk {
  const nodes = new Map<string, Node>([[root, { ref: root, depth: 0 }]]);
  const edges = new Map<string, Edge>();
  for (const walk of walks) {
    for (const node of walk.nodes) if (!nodes.has(node.ref)) nodes.set(node.ref, node);
    for (const edge of walk.edges) edges.set(keyOf(edge), edge);
  }
  return {
    nodes: [...nodes.values()].toSorted((a, b) => Math.abs(a.depth) - Math.abs(b.depth)),
    edges: [...edges.values()],
    truncated: walks.some(({ truncated }) => truncated),
  };
}

/** What the graph has of the edges that were counted; a node at its rim has none of them, and is no sample. */
function samplesOf(edges: readonly Edge[], totals: ReadonlyMap<string, number>): readonly Sample[] {
  const shown = new Map<string, number>();
  for (const { from, to, kind } of edges)
    for (const ref of [from, to]) shown.set(`${ref}\n${kind}`, (shown.get(`${ref}\n${kind}`) ?? 0) + 1);
  return [...totals].flatMap(([key, total]) => {
    const [ref = '', kind = ''] = key.split('\n');
    const count = shown.get(key) ?? 0;
    return count === 0 || count >= total ? [] : [{ ref, kind, shown: count, total }];
  });
}
