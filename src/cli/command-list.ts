import type { Command } from 'commander';
import type { CliEnvironment } from './context.ts';
import { nouns } from './nouns.ts';

/** A command of the program: its code is loaded when it is the one that runs. */
export interface CommandEntry {
  readonly name: string;
  /** One line, shown by `tidemill --help`. */
  readonly summary: string;
  /** Command lines that work, without the program's name; shown at the end of its help. */
  readonly examples: readonly string[];
  /** For programs, not people: left out of the help. */
  readonly hidden?: boolean;
  readonly load: () => Promise<(world: CliEnvironment) => Command>;
}

/** Every command, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'start the server',
    examples: ['up', 'up --port 8080 --home /srv/tidemill', 'up --host 0.0.0.0 --auth on'],
    load: async () => {
      const [{ createUpCommand }, { upOptions }] = await Promise.all([
        import('./commands/up.ts'),
        import('../app/up-options.ts'),
      ]);
      return (world) => createUpCommand(world, upOptions);
    },
  },
  {
    name: 'down',
    summary: 'stop the server',
    examples: ['down'],
    load: async () => (await import('./commands/down.ts')).createDownCommand,
  },
  {
    name: 'status',
    summary: 'say what runs and how it is',
    examples: ['status', 'status --json', 'status --url http://127.0.0.1:7878'],
    load: async () => (await import('./commands/status.ts')).createStatusCommand,
  },
  {
    name: 'serve',
    summary: 'serve models from disk or a registry, without a server',
    examples: [
      'serve model.onnx',
      'serve models --watch --serving-port 8080',
      'serve models --models fraud,churn',
      'serve model:late-arrival@champion --watch',
    ],
    load: async () => (await import('./commands/serve.ts')).createServeCommand,
  },
  {
    name: 'demo',
    summary: 'watch a model go round its whole loop on real flights',
    examples: ['demo', 'demo --share 0.2 --seed 7 --exit'],
    load: async () => (await import('./commands/demo.ts')).createDemoCommand,
  },
  {
    name: 'apply',
    summary: 'make the project what tidemill.yaml declares',
    examples: ['apply --wait', 'apply --prune --file flights/tidemill.yaml'],
    load: async () => (await import('./commands/apply.ts')).createApplyCommand,
  },
  {
    name: 'diff',
    summary: 'show what apply would change',
    examples: ['diff', 'diff --exit-code'],
    load: async () => (await import('./commands/diff.ts')).createDiffCommand,
  },
  {
    name: 'run',
    summary: 'run a pipeline',
    examples: ['run train --wait', 'run train -p months=6 --no-cache'],
    load: async () => (await import('./commands/run.ts')).createRunCommand,
  },
  {
    name: 'logs',
    summary: 'print what a job or step has written',
    examples: ['logs 01a21be4-bcd1-7000-882c-b0dc8dc4ceeb -f', 'logs 01a21be4-bcd1-7000-882c-b0dc8dc4ceeb/fit'],
    load: async () => (await import('./commands/logs.ts')).createLogsCommand,
  },
  {
    name: 'lineage',
    summary: 'print what something came from and led to',
    examples: ['lineage model:late-arrival@champion --up', 'lineage dataset:flights@12 --down'],
    load: async () => (await import('./commands/lineage.ts')).createLineageCommand,
  },
  {
    name: 'doctor',
    summary: 'check that this machine has what Tidemill needs',
    examples: ['doctor', 'doctor --json'],
    load: async () => (await import('./commands/doctor.ts')).createDoctorCommand,
  },
  {
    name: 'land',
    summary: 'take in new files of a dataset',
    examples: ['land flights', 'land flights --no-wait'],
    load: async () => (await import('./commands/land.ts')).createLandCommand,
  },
  {
    name: 'features',
    summary: 'look features up as of an instant',
    examples: ['features get --views weather --at time_hour --rows rows.json'],
    load: async () => (await import('./commands/features.ts')).createFeaturesCommand,
  },
  {
    name: 'events',
    summary: 'list, watch and retry events',
    examples: ['events list --type alert.opened', 'events tail', 'events retry'],
    load: async () => (await import('./commands/events.ts')).createEventsCommand,
  },
  {
    name: 'purge',
    summary: 'remove for good what was deleted in the project',
    examples: ['purge --older-than 30d', 'purge --dry-run', 'purge --yes --json'],
    load: async () => (await import('./commands/purge.ts')).createPurgeCommand,
  },
  {
    name: 'backup',
    summary: 'write everything that the server keeps into one file',
    examples: ['backup tidemill.tar'],
    load: async () => (await import('./commands/backup.ts')).createBackupCommand,
  },
  {
    name: 'restore',
    summary: 'make a home folder of a backup',
    examples: ['restore tidemill.tar --home /srv/tidemill'],
    load: async () => (await import('./commands/restore.ts')).createRestoreCommand,
  },
  {
    name: 'import',
    summary: 'bring in what MLflow or another Tidemill has tracked',
    examples: [
      'import mlflow ./mlruns',
      'import mlflow sqlite:///mlflow.db --artifacts ./mlartifacts',
      'import mlflow http://mlflow.example.com:5000 --dry-run',
    ],
    load: async () => (await import('./commands/import.ts')).createImportCommand,
  },
  {
    name: 'export',
    summary: 'write what is tracked for MLflow to read: no lock-in',
    examples: ['export mlflow --to ./mlruns', 'export mlflow --to http://mlflow.example.com:5000'],
    load: async () => (await import('./commands/export.ts')).createExportCommand,
  },
  {
    name: 'whoami',
    summary: 'say who you are to the server and what you may do',
    examples: ['whoami', 'whoami --project flights'],
    load: async () => (await import('./commands/whoami.ts')).createWhoAmICommand,
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands in your shell',
    examples: [
      'completion bash > ~/.local/share/bash-completion/completions/tidemill',
      'completion zsh > ~/.zfunc/_tidemill',
      'completion fish > ~/.config/fish/completions/tidemill.fish',
    ],
    load: async () => (await import('./commands/completion.ts')).createCompletionCommand,
  },
  {
    name: 'complete',
    summary: 'answers the script of `completion`',
    examples: ['complete -- dataset sh'],
    hidden: true,
    load: async () => (await import('./commands/completion.ts')).createCompleteCommand,
  },
  ...nouns.map(
    ({ noun, summary, load, actions }): CommandEntry => ({
      name: noun,
      summary,
      examples: [], // they stand with the noun's operations
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
