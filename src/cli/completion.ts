import type { Argument, Command, Option } from 'commander';
import type { CommandEntry } from './command-list.ts';
import type { CliEnvironment } from './context.ts';

export interface Candidate {
  readonly value: string;
  readonly about: string;
}

/** Names that an argument may have, asked of the server when they are wanted. */
type NameSource = (command: Command) => Promise<readonly string[]>;
const nameSources = new WeakMap<Command, NameSource>();

/** Has the first argument of a command completed by these names. */
export function setArgumentNames(command: Command, names: NameSource): void {
  nameSources.set(command, names);
}

/** Somebody waits with a finger on the key. */
const longestWaitMs = 1_500;

/**
 * What could stand where the cursor is. `words` are those after the program's name; the last one is being written. Only
 * the command that is named is loaded.
 */
export async function findCandidates(
  program: Command,
  entries: readonly CommandEntry[],
  words: readonly string[],
  world: CliEnvironment,
): Promise<readonly Candidate[]> {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const found = await candidatesAt(program, entries, before, typed, world);
  return found.filter(({ value }) => value.startsWith(typed));
}

async function candidatesAt(
  program: Command,
  entries: readonly CommandEntry[],
  before: readonly string[],
  typed: string,
  world: CliEnvironment,
): Promise<readonly Candidate[]> {
  let command = program;
  let loaded = false;
  let argumentsBefore = 0;
  for (let at = 0; at < before.length; at += 1) {
    const word = before[at] ?? '';
    const option = findOption(command, word);
    if (option !== undefined) {
      if (!takesValue(option)) continue;
      const value = before[at + 1];
      if (value === undefined) return (option.argChoices ?? []).map((choice) => ({ value: choice, about: '' }));
      if (command === program || program.options.includes(option))
        program.setOptionValue(option.attributeName(), value); // --home and --project say where names are asked for
      at += 1;
    } else if (word.startsWith('-')) continue;
    else if (!loaded) {
      const entry = entries.find(({ name }) => name === word);
      if (entry === undefined) return [];
      command = (await entry.load())(world);
      program.addCommand(command);
      loaded = true;
    } else {
      const child = command.commands.find(
        (candidate) => candidate.name() === word || candidate.aliases().includes(word),
      );
      if (child === undefined) argumentsBefore += 1;
      else command = child;
    }
  }
  if (typed.startsWith('-')) return optionsOf(command, program);
  if (!loaded)
    return entries
      .filter(({ hidden }) => hidden !== true)
      .map(({ name, summary }) => ({ value: name, about: summary }));
  if (command.commands.length > 0)
    return command.commands.map((child) => ({ value: child.name(), about: firstSentence(child.description()) }));
  return await argumentCandidates(command, argumentsBefore);
}

async function argumentCandidates(command: Command, position: number): Promise<readonly Candidate[]> {
  const argument: Argument | undefined = command.registeredArguments[position];
  if (argument?.argChoices !== undefined) return argument.argChoices.map((value) => ({ value, about: '' }));
  const source = nameSources.get(command);
  if (source === undefined || position > 0) return [];
  const names = await within(longestWaitMs, source(command)).catch(() => []); // no server, no names
  return names.map((value) => ({ value, about: '' }));
}

function optionsOf(command: Command, program: Command): readonly Candidate[] {
  const options = command === program ? program.options : [...command.options, ...program.options];
  return options
    .filter(({ hidden, long }) => !hidden && typeof long === 'string')
    .map(({ long, description }) => ({ value: long ?? '', about: description }));
}

function findOption(command: Command, word: string): Option | undefined {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const found = at.options.find(({ long, short }) => long === word || short === word);
    if (found !== undefined) return found;
  }
  return undefined;
}

const takesValue = ({ required, optional }: Option): boolean => required || optional;
const firstSentence = (text: string): string => text.split(/[.:;] /)[0] ?? text;

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('too late')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
