import type { Edge } from './edge-store.ts';

export interface Node {
  readonly ref: string;
  /** Steps from the root; negative is up. */
  readonly depth: number;
}

export interface Walk {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  /** More lies beyond the depth or the limit. */
  readonly truncated: boolean;
}

export interface WalkOptions {
  readonly direction: 'up' | 'down';
  readonly depth: number;
  /** Most nodes beside the root. */
  readonly limit: number;
  /** The edges on the far side of these nodes; at most `limit` of them. */
  readonly expand: (refs: readonly string[], limit: number) => Promise<readonly Edge[]>;
}

/**
 * Breadth first, one step of the whole frontier at a time, so that a walk takes as many queries as it is deep. A node
 * is visited once, which ends cycles (an alert leads to a run that leads to a model that leads to an alert).
 */
export async function walkGraph(root: string, options: WalkOptions): Promise<Walk> {
  const { direction, depth, limit, expand } = options;
  const sign = direction === 'up' ? -1 : 1;
  const seen = new Set([root]);
  const nodes: Node[] = [];
  const edges = new Map<string, Edge>();
  let truncated = false;
  let frontier: string[] = [root];
  for (let step = 1; frontier.length > 0; step += 1) {
    // Several edges may lead to one node, so that edges are asked for more generously than nodes are kept.
    const edgeLimit = limit * 4 + 1;
    const found = await expand(frontier, edgeLimit);
    if (found.length >= edgeLimit) truncated = true;
    if (step > depth) {
      if (found.some((edge) => !edges.has(keyOf(edge)))) truncated = true;
      break;
    }
    frontier = [];
    for (const edge of found) {
      const far = direction === 'up' ? edge.from : edge.to;
      if (!seen.has(far)) {
        if (nodes.length >= limit) {
          truncated = true;
          continue;
        }
        seen.add(far);
        nodes.push({ ref: far, depth: sign * step });
        frontier.push(far);
      }
      edges.set(keyOf(edge), edge);
    }
  }
  return { nodes, edges: [...edges.values()], truncated };
}

export const keyOf = ({ from, to, kind }: Edge): string => `${from}\n${to}\n${kind}`;
