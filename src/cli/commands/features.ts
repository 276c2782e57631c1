import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { getFeatures } from '#contracts/features';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';

type Row = Record<string, string | number | boolean | null>;

export function createFeaturesCommand(world: CliEnvironment): Command {
  const command = new Command('features').description('Looks features up.');
  addExamples(command.command('get'), [
    'features get --views weather,origin_delays --at time_hour --rows rows.json',
    'features get --views weather --at time_hour --rows - --json < rows.jsonl',
  ])
    .description('Looks features up as of an instant of each row: the same join as training uses.')
    .requiredOption('--views <names>', 'feature views, comma-separated')
    .requiredOption('--at <key>', 'key of the rows that holds the instant, RFC 3339')
    .requiredOption('--rows <file>', 'a JSON list of objects, or JSON lines; - reads standard input')
    .action(async (options: { views: string; at: string; rows: string }, self: Command) => {
      const { output, connect, cwd, signal } = createContext(self, world);
      const rows = parseRows(
        options.rows === '-'
          ? await text(process.stdin)
          : await readFile(resolve(cwd, options.rows), 'utf8').catch(notThere),
        options.rows,
      );
      const client = await connect();
      const found = await client.call(
        getFeatures,
        { body: { views: options.views.split(',').map((name) => name.trim()), at: options.at, rows: [...rows] } },
        { signal },
      );
      const { columns, rows: features } = found;
      if (output.json) output.result(found, () => '');
      else
        output.list(features, false, {
          columns: columns.map((title, index) => ({ title, value: (row) => row[index] as string | number | null })),
          empty: 'There is no row.',
        });
    });
  return command;
}

function notThere(error: unknown): never {
  throw new CliError(
    'ROWS_NOT_FOUND',
    3,
    `the rows cannot be read: ${error instanceof Error ? error.message : String(error)}`,
  );
}

/** Whether each row is right, the server says. */
function parseRows(content: string, name: string): readonly Row[] {
  try {
    const trimmed = content.trim();
    if (trimmed.startsWith('[')) return JSON.parse(trimmed) as readonly Row[];
    return trimmed.split('\n').map((line) => JSON.parse(line) as Row);
  } catch (error) {
    throw new CliError('ROWS_INVALID', 2, `${name} is neither a JSON list nor JSON lines: ${(error as Error).message}`);
  }
}
