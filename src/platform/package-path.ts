import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `src/platform`, `dist/platform` and the bundled programs in `dist/program` lie at the same depth. */
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A path inside this package, whatever of it is running. */
export function packagePath(...parts: readonly string[]): string {
  return join(root, ...parts);
}

/** The program's version, from its package. */
export function readVersion(): string {
  const manifest = readFileSync(packagePath('package.json'), 'utf8');
  return /"version": "([^"]+)"/.exec(manifest)?.[1] ?? '0';
}
