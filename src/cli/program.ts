import { Command } from 'commander';
import { addExamples } from './help-examples.ts';

/** The program with the options that every command has, without its commands. */
export function createProgram(version = ''): Command {
  const program = new Command('tidemill')
    .description('Carries a model round its whole loop: data, training, serving, watching, training again.')
    .version(version)
    .option('--url <address>', 'the server (default: TIDEMILL_URL, else the one that runs from the home folder)')
    .option('--project <name>', 'the project (default: TIDEMILL_PROJECT, else that of tidemill.yaml, else "default")')
    .option('--home <folder>', 'Tidemill’s folder (default: TIDEMILL_HOME, else .tidemill)')
    .option(
      '--token-file <path>',
      'file that holds the token (default: TIDEMILL_TOKEN_FILE, else TIDEMILL_TOKEN, else the admin-token of the home; with --url or TIDEMILL_URL the last is not sent, for the server may be another’s)',
    )
    .option('--json', 'print the result as JSON')
    .option('-q, --quiet', 'print names alone, and no talk');
  return addExamples(program, ['demo', 'apply --wait', 'run train --wait', 'model list', 'help run']);
}
