import { mkdtempSync } from 'node:fs';
import { link, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSharedFiles, hasBytes } from './shared-files.ts';

function aShop() {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-shared-files-'));
  const [opened, closed]: string[][] = [[], []];
  const files = createSharedFiles<string>({
    async open(path) {
      if (path.endsWith('bad')) throw new Error('it cannot be opened');
      opened?.push(path);
      return path;
    },
    close: async (path) => void closed?.push(path),
    isWhole: async (path) => !(await hasBytes(path, Buffer.from('elsewhere'))),
  });
  return { files, opened, closed, at: (name: string) => join(folder, name) };
}

test('a file is open once, by whatever name, until the last who has it lets it go; its names follow those who are left', async () => {
  const { files, opened, closed, at } = aShop();
  await writeFile(at('a'), 'model');
  await link(at('a'), at('b'));
  const [first, second] = await Promise.all([files.open(at('a')), files.open(at('b'))]);
  expect([first.value, second.value, opened]).toEqual([at('a'), at('a'), [at('a')]]);
  await first.release();
  await first.release();
  expect([closed, files.list()]).toEqual([[], [{ value: at('a'), path: at('b') }]]);
  await second.release();
  expect([closed, files.list()]).toEqual([[at('a')], []]);
  await (await files.open(at('b'))).release();
  expect(opened).toEqual([at('a'), at('b')]);
});

test('what was written anew, what says that it needs other files, and a copy are opened by themselves', async () => {
  const { files, opened, at } = aShop();
  await writeFile(at('a'), 'model');
  await writeFile(at('copy'), 'model');
  await files.open(at('a'));
  await files.open(at('copy'));
  await writeFile(at('new'), 'other');
  await rename(at('new'), at('a'));
  await files.open(at('a'));
  expect(opened).toHaveLength(3);
  await writeFile(at('parts'), `${'.'.repeat(1024 ** 2 - 4)}elsewhere`); // across two pieces that are read
  await files.open(at('parts'));
  await files.open(at('parts'));
  expect(opened).toHaveLength(5);
});

test('who waits for a file that cannot be opened hears why, and the next one tries again', async () => {
  const { files, at } = aShop();
  await writeFile(at('bad'), 'model');
  const [first, second] = await Promise.allSettled([files.open(at('bad')), files.open(at('bad'))]);
  expect([first.status, second.status, files.list()]).toEqual(['rejected', 'rejected', []]);
  await expect(files.open(at('missing.bad'))).rejects.toThrow('it cannot be opened');
});
