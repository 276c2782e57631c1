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
  { name: 'up', summary: 'start the server', load: async () => (await import('./commands/up.ts')).createUpCommand },
  {
    name: 'down',
    summary: 'stop the server',
    load: async () => (await import('./commands/down.ts')).createDownCommand,
  },
  {
    name: 'status',
    summary: 'say what runs and how it is',
    load: async () => (await import('./commands/status.ts')).createStatusCommand,
  },
  {
    name: 'demo',
    summary: 'watch a model go round its whole loop on real flights',
    load: async () => (await import('./commands/demo.ts')).createDemoCommand,
  },
  {
    name: 'apply',
    summary: 'make the project what tidemill.yaml declares',
    load: async () => (await import('./commands/apply.ts')).createApplyCommand,
  },
  {
    name: 'diff',
    summary: 'show what apply would change',
    load: async () => (await import('./commands/diff.ts')).createDiffCommand,
  },
  {
    name: 'run',
    summary: 'run a pipeline',
    load: async () => (await import('./commands/run.ts')).createRunCommand,
  },
  {
    name: 'logs',
    summary: 'print what a job or step has written',
    load: async () => (await import('./commands/logs.ts')).createLogsCommand,
  },
  {
    name: 'lineage',
    summary: 'print what something came from and led to',
    load: async () => (await import('./commands/lineage.ts')).createLineageCommand,
  },
  {
    name: 'doctor',
    summary: 'check that this machine has what Tidemill needs',
    load: async () => (await import('./commands/doctor.ts')).createDoctorCommand,
  },
  {
    name: 'land',
    summary: 'take in new files of a dataset',
    load: async () => (await import('./commands/land.ts')).createLandCommand,
  },
  {
    name: 'features',
    summary: 'look features up as of an instant',
    load: async () => (await import('./commands/features.ts')).createFeaturesCommand,
  },
  {
    name: 'events',
    summary: 'list, watch and retry events',
    load: async () => (await import('./commands/events.ts')).createEventsCommand,
  },
  {
    name: 'backup',
    summary: 'write everything that the server keeps into one file',
    load: async () => (await import('./commands/backup.ts')).createBackupCommand,
  },
  {
    name: 'restore',
    summary: 'make a home folder of a backup',
    load: async () => (await import('./commands/restore.ts')).createRestoreCommand,
  },
  ...nouns.map(
    ({ noun, summary, load, actions }): CommandEntry => ({
      name: noun,
      summary,
      load: async () => {
        const [{ createNounCommand }, operations, addActions] = await Promise.all([
          import('./noun-command.ts'),
          load(),
          actions?.(),
        ]);
        return (world) => {
          const command = createNounCommand(noun, summary, operations, world);
          addActions?.(command, world);
          return command;
        };
      },
    }),
  ),
];
