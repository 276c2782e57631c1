import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Ends the servers of the run and removes their data. */
export function stopS3(runFolder: string): void {
  for (const name of readdirSync(runFolder).filter((entry) => /^s3-\d+\.json$/.test(entry))) {
    const server = JSON.parse(readFileSync(join(runFolder, name), 'utf8')) as { pid: number; folder: string };
    process.kill(server.pid, 'SIGKILL');
    rmSync(server.folder, { recursive: true, force: true });
  }
}
