import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type CliEnvironment, CliError, createContext } from '../context.ts';

export function createRestoreCommand(world: CliEnvironment): Command {
  return new Command('restore')
    .description(
      'Makes a home folder of a backup; then "tidemill up" starts from it. The folder must be empty or not there.',
    )
    .argument('<file>', 'what "tidemill backup" wrote')
    .action(async (path: string, _options: unknown, command: Command) => {
      const { output, home } = createContext(command, world);
      const file = resolve(world.cwd, path);
      if (!existsSync(file)) throw new CliError('BACKUP_NOT_FOUND', 3, `there is no ${file}`);
      const { restoreBackup } = await import('../../app/backup.ts');
      const { blobs, bytes, takenAtMs } = await restoreBackup(file, home);
      const takenAt = new Date(takenAtMs).toISOString();
      output.result({ home, blobs, sizeBytes: bytes, takenAt }, () =>
        [`Restored ${home} as of ${takenAt}: ${blobs} blobs, each checked.`, 'Start it with "tidemill up".'].join('\n'),
      );
    });
}
