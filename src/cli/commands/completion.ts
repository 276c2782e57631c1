import { Argument, Command } from 'commander';
import { commands } from '../command-list.ts';
import { findCandidates } from '../completion.ts';
import { completionScripts, type Shell, shells } from '../completion-scripts.ts';
import type { CliEnvironment } from '../context.ts';
import { createProgram } from '../program.ts';

export function createCompletionCommand(world: CliEnvironment): Command {
  return new Command('completion')
    .description('Prints a script that completes commands, options and names in your shell.')
    .addArgument(new Argument('<shell>', 'which one').choices(shells))
    .action((shell: Shell) => void world.stdout.write(completionScripts[shell]));
}

export function createCompleteCommand(world: CliEnvironment): Command {
  return new Command('complete')
    .description('Answers what could stand at the end of a command line: the words after --, the last may be empty.')
    .argument('[words...]')
    .action(async (words: string[]) => {
      const found = await findCandidates(createProgram(), commands, words, world);
      for (const { value, about } of found) world.stdout.write(about === '' ? `${value}\n` : `${value}\t${about}\n`);
    });
}
