import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { Command } from 'commander';
import { backupPath } from '#contracts/backup';
import { type CliEnvironment, CliError, createContext } from '../context.ts';

export function createBackupCommand(world: CliEnvironment): Command {
  return new Command('backup')
    .description(
      'Writes everything that the server keeps into one tar, while it runs. The file holds the key of the secrets: keep it safe.',
    )
    .argument('<file>', 'where to; it must not be there yet')
    .action(async (path: string, _options: unknown, command: Command) => {
      const { output, connect, signal } = createContext(command, world);
      const file = resolve(world.cwd, path);
      if (existsSync(file)) throw new CliError('BACKUP_EXISTS', 5, `${file} is there already: name another file`);
      const client = (await connect()).inProject('default'); // the whole server's, whatever the project
      const answer = await client.request(backupPath, { signal });
      const draft = `${file}.part`;
      try {
        const bytes = Readable.fromWeb((answer.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>);
        await pipeline(bytes, createWriteStream(draft, { mode: 0o600, flush: true }));
        await rename(draft, file);
      } finally {
        await rm(draft, { force: true });
      }
      const { size } = await stat(file);
      output.result({ file, sizeBytes: size }, () => `Wrote ${file}, ${(size / 1e6).toFixed(1)} MB.`);
    });
}
