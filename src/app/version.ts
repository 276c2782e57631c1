import { readFileSync } from 'node:fs';
import { packagePath } from '#platform/package-path';

/** The program's version, from its package. */
export function readVersion(): string {
  const manifest = readFileSync(packagePath('package.json'), 'utf8');
  return /"version": "([^"]+)"/.exec(manifest)?.[1] ?? '0';
}
