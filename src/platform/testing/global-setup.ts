import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { stopPostgres } from './postgres-server.ts';
import { stopS3 } from './stop-s3.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where this run's databases live. */
    databaseFolder: string;
  }
}

/**
 * One folder for the databases of a test run, and for all that its tests and what they start put among temporary files; the
 * PostgreSQL servers that test processes have started end with the run.
 */
export default function setup(project: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tm-')); // short: paths of sockets hold about a hundred characters
  chmodSync(folder, 0o711); // some of what is tested runs as another user
  process.env['TMPDIR'] = folder;
  project.provide('databaseFolder', folder);
  return async () => {
    stopS3(folder);
    await stopPostgres(folder);
    rmSync(folder, { recursive: true, force: true });
  };
}
