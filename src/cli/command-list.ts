import type { Command } from 'commander';
import type { CliEnvironment } from './context.ts';
import { nouns } from './nouns.ts';

/** A command of the program: its code is loaded when it is the one that runs. */
export interface CommandEntry {
  readonly name: string;
  /** One line, shown by `tidemill --help`. */
  readonly summary: string;
  readonly load: () => Promise<(world: CliEnvironment) => Command>;
}

/** Every command, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'doctor',
    summary: 'check that this machine has what Tidemill needs',
    load: async () => (await import('./commands/doctor.ts')).createDoctorCommand,
  },
  ...nouns.map(
    ({ noun, summary, load }): CommandEntry => ({
      name: noun,
      summary,
      load: async () => {
        const [{ createNounCommand }, operations] = await Promise.all([import('./noun-command.ts'), load()]);
        return (world) => createNounCommand(noun, summary, operations, world);
      },
    }),
  ),
];
