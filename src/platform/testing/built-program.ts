import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const waitForOthersMs = 120_000;

/**
 * Node 20 cannot run TypeScript, so a test that starts a process points it at `dist`. Answers the address of a module
 * of it, `platform/database.js`, after `dist` has been brought up to date with the sources: once per test run.
 */
export async function builtModule(path: string): Promise<string> {
  await buildOnce(inject('databaseFolder'));
  return pathToFileURL(join(root, 'dist', path)).href;
}

async function buildOnce(runFolder: string): Promise<void> {
  const done = join(runFolder, 'built');
  if (existsSync(done)) return;
  const first = mkdirSync(join(runFolder, 'building'), { recursive: true }) !== undefined;
  if (first) {
    try {
      if (newestIn('src', '.ts') > newestIn('dist/program', '.js')) await compile();
    } finally {
      writeFileSync(done, ''); // also after a failure: the others then fail by themselves, at once
    }
    return;
  }
  for (const endAt = Date.now() + waitForOthersMs; Date.now() < endAt; ) {
    if (existsSync(done)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('another test process did not finish building dist in two minutes');
}

/** As `npm run build` does. */
async function compile(): Promise<void> {
  const tsc = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');
  // An error of syntax fails `npm run types`; what could be compiled is written all the same, and is what is tested here.
  await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root }).catch(
    (error: unknown) => {
      if (!existsSync(join(root, 'dist/platform/database.js'))) throw error;
    },
  );
  await promisify(execFile)(process.execPath, [join(root, 'tools/bundle.mjs')], { cwd: root });
}

/** When the newest file of a folder changed; 0 when there is none. */
function newestIn(folder: string, extension: string): number {
  const path = join(root, folder);
  if (!existsSync(path)) return 0;
  const times = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension) && !name.endsWith('.test.ts'))
    .map((name) => statSync(join(path, name)).mtimeMs);
  return Math.max(0, ...times);
}
