import { link, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { createLocalBlobStore } from './blobs.ts';
import { blobStoreContract } from './testing/blob-store-contract.ts';

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-blobs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

blobStoreContract('a local folder', async () => createLocalBlobStore(join(await temporaryFolder(), 'blobs')));

test('a blob lies two folders deep, read-only, and nothing stays in incoming', async () => {
  const folder = await temporaryFolder();
  const store = createLocalBlobStore(folder);
  const { sha256 } = await store.putStream(Readable.from([Buffer.from('x')]));
  const path = join(folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  expect(await store.localPath(sha256)).toBe(path);
  expect((await stat(path)).mode & 0o777).toBe(0o444);
  await store.putStream(Readable.from([Buffer.from('x')]));
  expect(await readdir(join(folder, 'incoming'))).toEqual([]);
});

test('what a crash left in incoming is removed after a day, what is being written is not', async () => {
  const folder = await temporaryFolder();
  const store = createLocalBlobStore(folder);
  await store.putStream(Readable.from([Buffer.from('x')]));
  await writeFile(join(folder, 'incoming', 'old'), '');
  await writeFile(join(folder, 'incoming', 'new'), '');
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  await utimes(join(folder, 'incoming', 'old'), longAgo, longAgo);
  for await (const blob of store.list()) expect(blob.sizeBytes).toBe(1);
  expect(await readdir(join(folder, 'incoming'))).toEqual(['new']);
});

test('a moved file with a second name is copied, so that writing through that name cannot reach the store', async () => {
  const folder = await temporaryFolder();
  const store = createLocalBlobStore(join(folder, 'blobs'));
  await writeFile(join(folder, 'a'), 'before');
  await link(join(folder, 'a'), join(folder, 'b'));
  const { sha256 } = await store.putFile(join(folder, 'a'), { move: true });
  await writeFile(join(folder, 'b'), 'after!');
  expect((await (await store.openRead(sha256)).toArray()).join('')).toBe('before');
});

test('a link is no file: what it points to does not come into the store', async () => {
  const folder = await temporaryFolder();
  const store = createLocalBlobStore(join(folder, 'blobs'));
  await writeFile(join(folder, 'elsewhere'), 'not yours');
  await symlink(join(folder, 'elsewhere'), join(folder, 'link'));
  await expect(store.putFile(join(folder, 'link'), { move: true })).rejects.toThrow('is no file');
  expect(await readFile(join(folder, 'elsewhere'), 'utf8')).toBe('not yours');
});
