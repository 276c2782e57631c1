import type { Command } from 'commander';

/** Ends a command's help with command lines that work. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  if (examples.length === 0) return command;
  const title = examples.length === 1 ? 'Example' : 'Examples';
  return command.addHelpText('after', `\n${title}:\n${examples.map((line) => `  $ tidemill ${line}`).join('\n')}`);
}
