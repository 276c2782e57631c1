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
    .option('--blobs <place>', 'where the blobs go, as of "tidemill up"; default: `blobs` in the home folder')
    .option('--s3-endpoint <url>', 'the address of an S3 server other than that of Amazon')
    .action(async (path: string, options: { blobs?: string; s3Endpoint?: string }, command: Command) => {
      const { output, home } = createContext(command, world);
      const file = resolve(world.cwd, path);
      if (!existsSync(file)) throw new CliError('BACKUP_NOT_FOUND', 3, `there is no ${file}`);
      const [{ restoreBackup }, { restoredBlobs }] = await Promise.all([
        import('../../app/backup.ts'),
        import('../../app/platform.ts'),
      ]);
      const place = restoredBlobs({ home, ...options }, world.environment, world.cwd);
      const elsewhere = place.elsewhere?.blobs;
      const { blobs, bytes, takenAtMs } = await restoreBackup(file, home, place.elsewhere);
      const takenAt = new Date(takenAtMs).toISOString();
      output.result({ home, blobs, blobsIn: place.blobs, sizeBytes: bytes, takenAt }, () =>
        [
          `Restored ${home} as of ${takenAt}: ${blobs} blobs, each checked${elsewhere === undefined ? '' : `, in ${elsewhere}`}.`,
          `Start it with "tidemill up${elsewhere === undefined ? '' : ` --blobs ${elsewhere}`}".`,
        ].join('\n'),
      );
    });
}
