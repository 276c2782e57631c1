import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where this run's databases live. */
    databaseFolder: string;
  }
}

/** One folder for the databases of a test run. */
export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-tests-'));
  project.provide('databaseFolder', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
