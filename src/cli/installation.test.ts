import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** A checkout in which nothing is installed or built. */
async function bareCheckout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-checkout-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['bin', 'tools', 'package.json'])
    await cp(join(root, name), join(folder, name), { recursive: true });
  return folder;
}

test('no script of a package that is denied one is run by npm 10 either, which goes by the lockfile (npm run lock)', () => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8')) as unknown;
  const { allowScripts } = read('package.json') as { readonly allowScripts: Readonly<Record<string, boolean>> };
  const { packages } = read('package-lock.json') as {
    readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean; readonly optional?: boolean }>>;
  };
  const denied = Object.keys(allowScripts).filter((name) => allowScripts[name] === false);
  expect(denied).toContain('onnxruntime-node');
  // an optional package whose script fails stops nothing; tools/postinstall.mjs builds it
  const run = denied.filter((name) => {
    const entry = packages[`node_modules/${name}`];
    return entry?.hasInstallScript === true && entry.optional !== true;
  });
  expect(run).toEqual([]);
  expect(existsSync(join(root, '.npmrc')), 'npm 11 warns of a setting that it does not know').toBe(false);
});

test('the launcher says in one sentence that the program is not built yet', async () => {
  const folder = await bareCheckout();
  const done = spawnSync(join(folder, 'bin', 'tidemill'), ['--help'], { encoding: 'utf8' });
  expect(done).toMatchObject({ status: 1, stdout: '' });
  expect(done.stderr.trim().split('\n')).toEqual([expect.stringContaining('run "npm ci"')]);
});

test('an installation without a compiler says in one sentence what to install', async () => {
  const folder = await bareCheckout();
  const path = join(folder, 'path');
  await mkdir(path);
  await symlink(process.execPath, join(path, 'node'));
  const done = spawnSync(process.execPath, [join(folder, 'tools', 'postinstall.mjs')], {
    encoding: 'utf8',
    env: { PATH: path },
  });
  expect(done).toMatchObject({ status: 1, stdout: '' });
  expect(done.stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/needs python3 and make and a C\+\+ compiler: .*run npm ci again/),
  ]);
});
