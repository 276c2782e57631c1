import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { putSecret } from '#contracts/secrets';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';

/** The value comes by standard input, so that neither the shell's history nor the list of processes has it. */
export function addPutSecret(command: Command, world: CliEnvironment): void {
  const put = command.command('put <name>').description(`${putSecret.summary} The value is read from standard input.`);
  put
    .option('--grants <references...>', 'who may read it: pipeline:train, job:*; default: everything in the project')
    .action(async (name: string, options: { grants?: string[] }, self: Command) => {
      const { output, connect } = createContext(self, world);
      if (process.stdin.isTTY) output.say('Type the value, then Ctrl-D:');
      const value = (await text(process.stdin)).replace(/\r?\n$/, '');
      if (value === '')
        throw new CliError(
          'SECRET_VALUE_MISSING',
          2,
          'the value is empty: send it by standard input, printf %s "$VALUE" | …',
        );
      const kept = await (await connect()).call(putSecret, {
        params: { name },
        body: { value, ...(options.grants !== undefined && { grants: options.grants }) },
      });
      output.result(kept, () => `Kept ${kept.name}; ${kept.grants.join(', ')} may read it.`);
    });
  addExamples(put, [`secret put db-password --grants pipeline:train < password.txt`]);
}
