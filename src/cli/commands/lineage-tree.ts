import { plural } from '../words.ts';

export interface TreeEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
}

export interface TreeGraph {
  readonly root: string;
  readonly edges: readonly TreeEdge[];
  /** Nodes of whose edges only some are in the graph. */
  readonly samples: readonly {
    readonly ref: string;
    readonly kind: string;
    readonly shown: number;
    readonly total: number;
  }[];
}

/** One line: a node, or several nodes of one name that came the same way. */
interface Line {
  readonly nodes: readonly string[];
  readonly kind: string;
}

/** So many siblings of a kind are named where there are more; one alone is never left out. */
const few = 3;
const versioned = /^(.*)@(\d+)$/;

const nameOf = (ref: string): string => versioned.exec(ref)?.[1] ?? ref;
const versionOf = (ref: string): number => Number(versioned.exec(ref)?.[2] ?? 0);
const kindOf = (ref: string): string => ref.slice(0, ref.indexOf(':'));
const isArtifact = (ref: string): boolean => kindOf(ref) === 'artifact';

/**
 * The graph as an indented list, each node where it is first met and marked with `…` where it is met again. For reading, files
 * beyond the root's own are counted instead of listed, versions of one thing are a range (`dataset:flights@48 … @1`), and of
 * many siblings of a kind a few are named; `all` writes every node.
 */
export function lineageTree(graph: TreeGraph, direction: 'up' | 'down', all: boolean): readonly string[] {
  const next = new Map<string, { readonly node: string; readonly kind: string }[]>();
  for (const { from, to, kind } of graph.edges) {
    const [at, node] = direction === 'up' ? [to, from] : [from, to];
    next.set(at, [...(next.get(at) ?? []), { node, kind }]);
  }
  const shown = new Set<string>([graph.root]);
  const hidden = new Set<string>();
  const lines: string[] = [];

  const namedOf = (count: number): number => (all || count <= few + 1 ? count : few);

  const below = (line: Line): readonly Line[] => {
    const found = line.nodes.flatMap((node) => next.get(node) ?? []);
    if (all) return found.map(({ node, kind }) => ({ nodes: [node], kind }));
    const listed = found.filter(({ node }) => {
      const aside = isArtifact(node) && !(line.nodes.includes(graph.root) && found.length <= few);
      if (aside) hidden.add(node);
      return !aside && !line.nodes.includes(node);
    });
    return rangesOf(listed).map((range) => ({ ...range, nodes: alongVersions(range, next) }));
  };

  const visit = (line: Line, indent: string): void => {
    const children = below(line);
    const groupOf = (child: Line): string => `${child.kind} ${kindOf(child.nodes[0] ?? '')}`;
    const counts = new Map<string, number>();
    for (const child of children) counts.set(groupOf(child), (counts.get(groupOf(child)) ?? 0) + 1);
    const seen = new Map<string, number>();
    for (const child of children) {
      const group = groupOf(child);
      seen.set(group, (seen.get(group) ?? 0) + 1);
      if ((seen.get(group) ?? 0) > namedOf(counts.get(group) ?? 0)) continue;
      const known = child.nodes.every((node) => shown.has(node));
      lines.push(`${indent}${labelOf(child)}${known ? ' …' : ''}`);
      if (known) continue;
      for (const node of child.nodes) shown.add(node);
      visit(child, `${indent}  `);
    }
    for (const [group, count] of counts) {
      const [kind = '', what = ''] = group.split(' ');
      const named = namedOf(count);
      const sample = graph.samples.find((one) => line.nodes.includes(one.ref) && one.kind === kind);
      if (sample !== undefined)
        lines.push(`${indent}… ${number(named)} of ${number(sample.total)} ${what}s shown (${kind})`);
      else if (count > named) lines.push(`${indent}… and ${plural(count - named, `further ${what}`)} (${kind})`);
    }
  };
  visit({ nodes: [graph.root], kind: '' }, '  ');
  for (const node of shown) hidden.delete(node);
  if (hidden.size > 0)
    lines.push(`  … and ${plural(hidden.size, 'artifact')}; --all shows ${hidden.size === 1 ? 'it' : 'them'}`);
  return lines.length === 0 ? ['  nothing'] : lines;
}

/** Versions of one name that came the same way are one line, when they are more than a few. */
function rangesOf(children: readonly { readonly node: string; readonly kind: string }[]): readonly Line[] {
  const groups = new Map<string, { readonly kind: string; readonly nodes: string[] }>();
  for (const { node, kind } of children) {
    const key = `${kind} ${nameOf(node)}`;
    const group = groups.get(key) ?? { kind, nodes: [] };
    groups.set(key, group);
    if (!group.nodes.includes(node)) group.nodes.push(node);
  }
  return [...groups.values()].flatMap(({ kind, nodes }) =>
    nodes.length <= few
      ? nodes.map((node) => ({ nodes: [node], kind }))
      : [{ kind, nodes: nodes.toSorted((a, b) => versionOf(a) - versionOf(b)) }],
  );
}

/** A version that extends one that extends one …: the whole chain, from the nearest on. */
function alongVersions(
  { nodes, kind }: Line,
  next: ReadonlyMap<string, readonly { readonly node: string; readonly kind: string }[]>,
): readonly string[] {
  const [first] = nodes;
  if (kind !== 'extended' || nodes.length !== 1 || first === undefined) return nodes;
  const chain = [first];
  for (let at: string | undefined = first; at !== undefined; ) {
    const name = nameOf(at);
    at = next.get(at)?.find((edge) => edge.kind === 'extended' && nameOf(edge.node) === name)?.node;
    if (at === undefined || chain.includes(at)) break;
    chain.push(at);
  }
  return chain;
}

function labelOf({ nodes, kind }: Line): string {
  const [first = '', last = first] = [nodes[0], nodes.at(-1)];
  if (nodes.length === 1) return `${first} (${kind})`;
  return `${first} … @${versionOf(last)} (${kind}, ${plural(nodes.length, 'version')})`;
}

const number = (value: number): string => value.toLocaleString('en-US');
