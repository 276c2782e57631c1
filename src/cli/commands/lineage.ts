import { Command } from 'commander';
import { traceLineage } from '#contracts/lineage';
import { parseReference, referenceKinds } from '#contracts/references';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { projectNote } from '../project-note.ts';
import { readCount } from '../schema-options.ts';

type Edge = { readonly from: string; readonly to: string; readonly kind: string };

export function createLineageCommand(world: CliEnvironment): Command {
  return new Command('lineage')
    .description('Prints the way up (what it came from) and down (what came of it) of a reference.')
    .argument('<reference>', 'dataset:flights@12, model:late-arrival@champion, prediction:<id> …')
    .option('--up', 'only the way up')
    .option('--down', 'only the way down')
    .option('--depth <steps>', 'most steps', readCount, 20)
    .action(async (reference: string, options: { up?: boolean; down?: boolean; depth: number }, command: Command) => {
      const context = createContext(command, world);
      if (parseReference(reference) === undefined)
        throw new CliError(
          'REFERENCE_INVALID',
          2,
          `"${reference}" is no reference: write kind:name or kind:name@version, as in dataset:flights@12; kinds are ${referenceKinds.join(', ')}`,
        );
      const client = await context.connect();
      const direction = options.up === true ? 'up' : options.down === true ? 'down' : 'both';
      const graph = await client.call(traceLineage, {
        query: { ref: reference, direction, depth: options.depth },
      });
      if (graph.edges.length === 0 && direction === 'both')
        throw new CliError(
          'LINEAGE_UNKNOWN',
          3,
          `nothing is recorded of ${reference} in this project; check its name, and --project${await projectNote(client)}`,
        );
      context.output.result(graph, () => {
        const parts: string[] = [];
        if (direction !== 'down') parts.push('came from', ...tree(graph.edges, graph.root, 'up'));
        if (direction !== 'up') parts.push('led to', ...tree(graph.edges, graph.root, 'down'));
        return `${graph.root}\n${parts.join('\n')}`;
      });
    });
}

/** Each node once, where it is first met; what was shown before is marked. */
function tree(edges: readonly Edge[], root: string, direction: 'up' | 'down'): readonly string[] {
  const next = new Map<string, { readonly node: string; readonly kind: string }[]>();
  for (const { from, to, kind } of edges) {
    const [at, node] = direction === 'up' ? [to, from] : [from, to];
    next.set(at, [...(next.get(at) ?? []), { node, kind }]);
  }
  const shown = new Set<string>([root]);
  const lines: string[] = [];
  const visit = (at: string, indent: string): void => {
    for (const { node, kind } of next.get(at) ?? []) {
      lines.push(`${indent}${node} (${kind})${shown.has(node) ? ' …' : ''}`);
      if (shown.has(node)) continue;
      shown.add(node);
      visit(node, `${indent}  `);
    }
  };
  visit(root, '  ');
  return lines.length === 0 ? ['  nothing'] : lines;
}
