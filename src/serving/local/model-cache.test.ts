import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { startTimeOf } from '#platform/processes';
import { type KnownVersion, type ModelCache, openModelCache } from './model-cache.ts';

const dayMs = 24 * 3_600_000;
const nowMs = Date.UTC(2026, 0, 1);
const bytesOf = (text: string): Buffer => Buffer.from(text.padEnd(100, '.'));
const digestOf = (text: string): string => createHash('sha256').update(bytesOf(text)).digest('hex');

/** A version of one file of 100 bytes, and one of two that its folder is made for. */
const aVersion = (version: number, ...texts: readonly string[]): KnownVersion => ({
  version,
  runtime: 'python',
  digest: digestOf(texts[0] ?? ''),
  files: texts.map((text, at) => ({ path: `model-${at}.py`, sha256: digestOf(text), sizeBytes: 100 })),
});
const stored = ({ files }: KnownVersion) => ({
  files: files.map(({ path, sha256, sizeBytes }) => ({ path, digest: sha256, sizeBytes })),
});

async function aCache(budgetBytes: number, texts: readonly string[], folder = mkdtempSync(join(tmpdir(), 'cache-'))) {
  const byDigest = new Map(texts.map((text) => [digestOf(text), text]));
  const open = async (digest: string) => Readable.from([bytesOf(byDigest.get(digest) ?? '')]);
  const cache = await openModelCache({ folder, open, budgetBytes, nowMs: () => nowMs });
  onTestFinished(() => cache.close());
  return { cache, folder };
}

/** Fetched and kept, and used last so many days ago, by a process that is gone. */
async function fetched(cache: ModelCache, folder: string, version: KnownVersion, daysAgo: number): Promise<void> {
  await cache.files.materialise(stored(version).files, true);
  const before = new Set(await readdir(join(folder, 'versions')));
  await cache.keep(['default', 'late', String(version.version)], version);
  const at = (nowMs - daysAgo * dayMs) / 1000;
  for (const name of await readdir(join(folder, 'versions')))
    if (!before.has(name)) await utimes(join(folder, 'versions', name), at, at);
}

/** The versions whose files are there, and of how many versions there is a folder. */
async function left(folder: string, versions: readonly KnownVersion[]) {
  const files = new Set(await readdir(join(folder, 'files')));
  return {
    versions: versions
      .filter((one) => one.files.every(({ sha256 }) => files.has(sha256)))
      .map(({ version }) => version),
    files: [...files].filter((name) => /^[0-9a-f]{64}$/.test(name)).length,
    folders: (await readdir(join(folder, 'files', 'sets'))).length,
    known: (await readdir(join(folder, 'versions'))).length,
  };
}

const texts = ['a', 'b', 'c', 'shared'];
const [one, two, three] = [aVersion(1, 'a', 'shared'), aVersion(2, 'b', 'shared'), aVersion(3, 'c')];
const all = [one, two, three];

test('what was used longest ago goes first, until the rest is within the budget; files that others need stay', async () => {
  const filler = await aCache(0, texts);
  const { folder } = filler;
  await fetched(filler.cache, folder, one, 1);
  await fetched(filler.cache, folder, two, 3);
  await fetched(filler.cache, folder, three, 2);
  const roomy = await aCache(400, texts, folder);
  await roomy.cache.collect();
  expect(await left(folder, all)).toEqual({ versions: [1, 2, 3], files: 4, folders: 3, known: 3 });
  const narrow = await aCache(300, texts, folder);
  await narrow.cache.collect();
  expect(await left(folder, all)).toEqual({ versions: [1, 3], files: 3, folders: 2, known: 2 });
  expect(await narrow.cache.find(['default', 'late', '2'])).toBeUndefined();
  expect(await narrow.cache.find(['default', 'late', '1'])).toEqual(one);
});

test('what nobody used for a month goes, however much room there is, unless it is used now', async () => {
  const { cache, folder } = await aCache(1e9, texts);
  for (const version of all) await fetched(cache, folder, version, 31);
  const other = await aCache(1e9, texts, folder);
  await other.cache.find(['default', 'late', '3']);
  await other.cache.hold([stored(three)]);
  await other.cache.collect();
  expect(await left(folder, all)).toEqual({ versions: [3], files: 1, folders: 1, known: 1 });
});

test('what a process uses stays for as long as that lives, and what a write that was broken off has left goes', async () => {
  const { cache, folder } = await aCache(0, texts);
  for (const version of all) await fetched(cache, folder, version, 0);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { pid = 0 } = child;
  const user = { host: hostname(), pid, startedAt: startTimeOf(pid), used: [stored(two)] };
  await writeFile(join(folder, 'users', 'another.json'), JSON.stringify(user));
  await writeFile(join(folder, 'versions', `${digestOf('x')}.json.1.tmp`), JSON.stringify(three));
  await mkdir(join(folder, 'files', 'sets', digestOf('y')));
  await cache.hold([stored(one)]);
  await cache.collect();
  expect(await left(folder, all)).toEqual({ versions: [1, 2], files: 3, folders: 2, known: 2 });

  await killed(child);
  await cache.collect();
  expect(await left(folder, all)).toEqual({ versions: [1], files: 2, folders: 1, known: 1 });
  expect(await readdir(join(folder, 'users'))).toHaveLength(1);
  await cache.close();
  expect(await readdir(join(folder, 'users'))).toEqual([]);
});

test('a process of another host counts as long as it has said something of late', async () => {
  const { cache, folder } = await aCache(0, texts);
  await fetched(cache, folder, one, 0);
  const path = join(folder, 'users', 'elsewhere.json');
  await writeFile(path, JSON.stringify({ host: 'elsewhere', pid: 1, startedAt: 'x', used: [stored(one)] }));
  const say = (hoursAgo: number) => utimes(path, nowMs / 1000 - hoursAgo * 3600, nowMs / 1000 - hoursAgo * 3600);
  await say(2);
  await cache.collect();
  expect((await left(folder, all)).versions).toEqual([1]);
  await say(4);
  await cache.collect();
  expect((await left(folder, all)).versions).toEqual([]);
});

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
