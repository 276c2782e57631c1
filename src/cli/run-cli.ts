import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { kindTable } from '#contracts/error-kinds';
import { nearestName } from '#contracts/nearest-name';
import { isTidemillError, type TidemillError } from '../sdk/errors.ts';
import { type CommandEntry, commands } from './command-list.ts';
import { type CliEnvironment, CliError, createContext } from './context.ts';
import { exitCodeOf } from './exit-code.ts';
import { inCommandWords } from './field-words.ts';
import { addExamples } from './help-examples.ts';
import { createProgram } from './program.ts';

const valueOptions = ['--url', '--project', '--home', '--token-file'];

/**
 * Runs one command line and gives its exit code: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict,
 * 6 server unreachable, 130 interrupted. Only the command that is named is loaded; the others are names in the help.
 */
export async function runCli(
  argv: readonly string[],
  world: CliEnvironment,
  options: { readonly version: string; readonly entries?: readonly CommandEntry[] },
): Promise<number> {
  const entries = options.entries ?? commands;
  const program = createProgram(options.version);
  const words = wordsOf(argv);
  const named = words[0] === 'help' ? words[1] : words[0];
  for (const entry of entries) {
    const isNamed = entry.name === named;
    const command = isNamed
      ? addExamples((await entry.load())(world), entry.examples)
      : new Command(entry.name).description(entry.summary);
    program.addCommand(command, { hidden: entry.hidden ?? false });
  }
  prepare(program, world, argv.includes('--json'));
  try {
    refuseUnknown(program, named);
    // commander's own knows one word: `help webhook create` is `webhook create --help`
    await program.parseAsync(words[0] === 'help' && words.length > 2 ? [...words.slice(1), '--help'] : [...argv], {
      from: 'user',
    });
    return exitCodeOf(program);
  } catch (error) {
    return report(error, program, argv, world);
  }
}

/** With a help asked for, commander prints that of the program instead. */
function refuseUnknown(program: Command, named: string | undefined): void {
  const names = program.commands.map((command) => command.name());
  if (named === undefined || named === 'help' || names.includes(named)) return;
  const nearest = nearestName(named, names);
  const hint = nearest === undefined ? '' : `\n(Did you mean ${nearest}?)`;
  program.error(`error: unknown command '${named}'${hint}`, { code: 'commander.unknownCommand' });
}

/** No command ends the process or writes past its world; each shows the options that all have. */
function prepare(command: Command, world: CliEnvironment, json: boolean): void {
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void world.stdout.write(text),
      writeErr: (text) => void world.stderr.write(text),
      outputError: (text, write) => write(json ? usageProblem(text) : text),
    });
  for (const child of command.commands) prepare(child, world, json);
}

/** The same form as every other failure under --json. */
function usageProblem(text: string): string {
  const message = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
  return `${JSON.stringify({ error: { code: 'USAGE', message } }, undefined, 2)}\n`;
}

/** What is neither an option nor an option's value, as far as that is known before the command is. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (valueOptions.includes(word)) at += 1;
    else if (!word.startsWith('-')) words.push(word);
  }
  return words;
}

function report(error: unknown, program: Command, argv: readonly string[], world: CliEnvironment): number {
  const unsaid = !(error instanceof CommanderError) || error instanceof InvalidArgumentError;
  if (!unsaid) return error.exitCode === 0 ? 0 : kindTable.invalid.exit; // commander has said it
  if (world.signal.aborted) return 130;
  const json = argv.includes('--json');
  const { output } = createContext(json ? program.setOptionValue('json', true) : program, world);
  if (error instanceof InvalidArgumentError) {
    output.fail({ code: 'USAGE', message: error.message });
    return kindTable.invalid.exit;
  }
  if (error instanceof CliError) {
    output.fail({ code: error.code, message: error.message });
    return error.exit;
  }
  if (isTidemillError(error)) {
    const { code, message, kind, details } = error;
    output.fail({
      code,
      message: code === 'REQUEST_INVALID' ? inCommandWords(message) : `${message}${wayOut(error)}`,
      ...(details !== undefined && { details }),
    });
    // what the server's schema refuses is wrong usage, as if an option's own check had; what it finds beyond that is not
    return kind === 'invalid' && code !== 'REQUEST_INVALID' ? 1 : kindTable[kind].exit;
  }
  if (isCoded(error)) {
    output.fail({ code: error.code, message: error.message });
    return kindTable[error.kind].exit;
  }
  const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  output.fail({ code: 'INTERNAL', message: `this is a mistake in Tidemill itself: ${shown}` });
  return kindTable.internal.exit;
}

/** What the command line adds to a server's words. */
function wayOut({ code, kind, requestId }: TidemillError): string {
  if (kind === 'internal' && requestId !== undefined) return ` (request ${requestId})`;
  return kind === 'unauthenticated' && code.startsWith('TOKEN_')
    ? ' (the file that holds it is named by --token-file or TIDEMILL_TOKEN_FILE)'
    : '';
}

interface CodedError {
  readonly code: string;
  readonly kind: keyof typeof kindTable;
  readonly message: string;
}

/** An AppError of code that runs in this process (`up`, `doctor`), known by its shape. */
function isCoded(error: unknown): error is CodedError {
  return error instanceof Error && 'kind' in error && 'code' in error && String(error.kind) in kindTable;
}
