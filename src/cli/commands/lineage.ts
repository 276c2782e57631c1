import { Command } from 'commander';
import { traceLineage } from '#contracts/lineage';
import { readReference, referenceKinds } from '#contracts/references';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { projectNote } from '../project-note.ts';
import { readCount } from '../schema-options.ts';
import { lineageTree } from './lineage-tree.ts';

/** Enough to lead from a model to its data, its code and what asked for it; people see more with --depth. */
const readableDepth = 4;
const wholeDepth = 50;

interface LineageOptions {
  readonly up?: boolean;
  readonly down?: boolean;
  readonly depth?: number;
  readonly all?: boolean;
}

export function createLineageCommand(world: CliEnvironment): Command {
  return new Command('lineage')
    .description('Prints the way up (what it came from) and down (what came of it) of a reference.')
    .argument('<reference>', 'dataset:flights@12, model:late-arrival@champion, prediction:<id> …')
    .option('--up', 'only the way up')
    .option('--down', 'only the way down')
    .option('--depth <steps>', `most steps (default: ${readableDepth}; ${wholeDepth} with --all or --json)`, readCount)
    .option('--all', 'every node: artifacts, each version, all siblings')
    .action(async (reference: string, options: LineageOptions, command: Command) => {
      const context = createContext(command, world);
      if (readReference(reference) === undefined)
        throw new CliError(
          'REFERENCE_INVALID',
          2,
          `"${reference}" is no reference: write kind:name or kind:name@version, as in dataset:flights@12; kinds are ${referenceKinds.join(', ')}`,
        );
      const client = await context.connect();
      const all = options.all === true;
      const depth = options.depth ?? (all || context.output.json ? wholeDepth : readableDepth);
      const direction = options.up === true ? 'up' : options.down === true ? 'down' : 'both';
      const graph = await client.call(traceLineage, {
        query: { ref: reference, direction, depth },
      });
      if (graph.edges.length === 0 && direction === 'both')
        throw new CliError(
          'LINEAGE_UNKNOWN',
          3,
          `nothing leads to ${reference} and nothing came of it in this project; if something should have, check its name, and --project${await projectNote(client)}`,
        );
      context.output.result(graph, () => {
        const parts: string[] = [];
        if (direction !== 'down') parts.push('came from', ...lineageTree(graph, 'up', all));
        if (direction !== 'up') parts.push('led to', ...lineageTree(graph, 'down', all));
        if (graph.truncated) parts.push(`more lies further than ${depth} steps away; --depth ${depth * 2} goes on`);
        return `${graph.root}\n${parts.join('\n')}`;
      });
    });
}
