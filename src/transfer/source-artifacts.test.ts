import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ArtifactOptions, openArtifacts } from './source-artifacts.ts';
import { createLeftLinks } from './source-links.ts';

const owner = 'a'.repeat(32);

/** A machine with a secret, and a folder of files where MLflow puts those of the run. */
async function aMachine() {
  const machine = await realpath(await mkdtemp(join(tmpdir(), 'tidemill-test-')));
  onTestFinished(() => rm(machine, { recursive: true, force: true }));
  const own = join(machine, 'data', '3', owner, 'artifacts');
  const secrets = join(machine, 'secrets');
  for (const folder of [own, secrets]) await mkdir(folder, { recursive: true });
  await writeFile(join(secrets, 'key'), 'secret');
  await writeFile(join(own, 'model.bin'), 'bytes');
  const links = createLeftLinks();
  const read = async (uri: string, more: Partial<ArtifactOptions> = {}) => {
    const found = await openArtifacts(uri, { owner, links, ...more });
    if (!('files' in found)) return found.why;
    const paths = [];
    for await (const { path } of found.files) paths.push(path);
    return paths;
  };
  return { machine, own, secrets, links, read };
}

describe('files under an address of a store', () => {
  test('are read wherever on this machine MLflow has put those of the run', async () => {
    const { own, read } = await aMachine();
    expect(await read(own)).toEqual(['model.bin']);
    expect(await read(pathToFileURL(own).href)).toEqual(['model.bin']);
  });

  test('are read in any folder of the store itself', async () => {
    const { machine, own, read } = await aMachine();
    expect(await read(join(own, '..'), { root: join(machine, 'data') })).toEqual(['artifacts/model.bin']);
  });

  test('are not read in another folder of this machine, nor in that of another run', async () => {
    const { machine, own, secrets, read } = await aMachine();
    expect(await read(pathToFileURL(secrets).href)).toContain('is not read');
    expect(await read(secrets, { root: join(machine, 'data') })).toContain('is not read');
    expect(await read(own, { owner: 'b'.repeat(32) })).toContain('is not read');
    expect(await read(`${own}/../../../../secrets`)).toContain('is not read');
  });

  test('are not read where the folder of the run is a link to another', async () => {
    const { machine, secrets, read } = await aMachine();
    const stranger = join(machine, 'stranger', owner);
    await mkdir(stranger, { recursive: true });
    await symlink(secrets, join(stranger, 'artifacts'));
    expect(await read(join(stranger, 'artifacts'), { root: join(machine, 'stranger') })).toContain('is not read');
  });

  test('are not read outside of the folder behind mlflow-artifacts:', async () => {
    const { machine, read } = await aMachine();
    const proxied = join(machine, 'data');
    expect(await read(`mlflow-artifacts:/3/${owner}/artifacts`, { proxied })).toEqual(['model.bin']);
    expect(await read('mlflow-artifacts:/../secrets', { proxied })).toContain('no folder inside');
    expect(await read('mlflow-artifacts:/', { proxied })).toContain('no folder inside');
    expect(await read(`mlflow-artifacts:/3/${owner}/artifacts`)).toContain('is not known');
  });

  test('are those that a link in the folder names, unless it leads out, to a folder or to nothing', async () => {
    const { own, secrets, links, read } = await aMachine();
    await symlink(join(own, 'model.bin'), join(own, 'same.bin'));
    expect(await read(own)).toEqual(['model.bin', 'same.bin']);
    expect(links.leftBehind()).toEqual([]);
    await symlink(join(secrets, 'key'), join(own, 'key'));
    await symlink(secrets, join(own, 'keys'));
    await symlink(join(own, 'nothing'), join(own, 'none'));
    expect(await read(own)).toEqual(['model.bin', 'same.bin']);
    expect(links.leftBehind()).toMatchObject([{ count: 3, what: expect.stringContaining(join(own, 'key')) as string }]);
  });
});
