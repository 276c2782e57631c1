import { Command, CommanderError } from 'commander';
import { kindTable } from '#contracts/error-kinds';
import { isTidemillError } from '../sdk/errors.ts';
import { type CommandEntry, commands } from './command-list.ts';
import { type CliEnvironment, CliError, createContext } from './context.ts';
import { exitCodeOf } from './exit-code.ts';

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
  const program = createProgram(world, options.version);
  const named = namedCommand(argv);
  for (const entry of entries) {
    const isNamed = entry.name === named;
    const command = isNamed ? (await entry.load())(world) : new Command(entry.name).description(entry.summary);
    if (isNamed) prepare(command, world);
    program.addCommand(command);
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCodeOf(program);
  } catch (error) {
    return report(error, program, argv, world);
  }
}

function createProgram(world: CliEnvironment, version: string): Command {
  const program = new Command('tidemill')
    .description('Carries a model round its whole loop: data, training, serving, watching, training again.')
    .version(version)
    .option('--url <address>', 'the server (default: TIDEMILL_URL, else the one that runs from the home folder)')
    .option('--project <name>', 'the project (default: TIDEMILL_PROJECT, else "default")')
    .option('--home <folder>', 'Tidemill’s folder (default: TIDEMILL_HOME, else .tidemill)')
    .option(
      '--token-file <path>',
      'file that holds the token (default: TIDEMILL_TOKEN_FILE, else TIDEMILL_TOKEN, else the admin-token of the home)',
    )
    .option('--json', 'print the result as JSON');
  prepare(program, world);
  return program;
}

/** No command ends the process or writes past its world. */
function prepare(command: Command, world: CliEnvironment): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void world.stdout.write(text),
    writeErr: (text) => void world.stderr.write(text),
  });
  for (const child of command.commands) prepare(child, world);
}

/** The first word that is neither an option nor an option's value; `help x` asks for x. */
function namedCommand(argv: readonly string[]): string | undefined {
  const words: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (valueOptions.includes(word)) at += 1;
    else if (!word.startsWith('-')) words.push(word);
  }
  return words[0] === 'help' ? words[1] : words[0];
}

function report(error: unknown, program: Command, argv: readonly string[], world: CliEnvironment): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : kindTable.invalid.exit; // it has spoken already
  if (world.signal.aborted) return 130;
  const json = argv.includes('--json');
  const { output } = createContext(json ? program.setOptionValue('json', true) : program, world);
  if (error instanceof CliError) {
    output.fail({ code: error.code, message: error.message });
    return error.exit;
  }
  if (isTidemillError(error)) {
    const { code, message, kind, details, requestId } = error;
    output.fail({
      code,
      message: kind === 'internal' && requestId !== undefined ? `${message} (request ${requestId})` : message,
      ...(details !== undefined && { details }),
    });
    // a wrong argument found by the server is no wrong usage of the command line
    return kind === 'invalid' ? 1 : kindTable[kind].exit;
  }
  if (isCoded(error)) {
    output.fail({ code: error.code, message: error.message });
    return kindTable[error.kind].exit;
  }
  const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  output.fail({ code: 'INTERNAL', message: `this is a mistake in Tidemill itself: ${shown}` });
  return kindTable.internal.exit;
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
