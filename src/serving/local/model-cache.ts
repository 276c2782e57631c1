import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ModelVersionView } from '#contracts/registry';
import { readServable } from '#contracts/servable-version';
import { isAppError } from '#platform/errors';
import { acquireLockFile } from '#platform/lock-file';
import { isAlive, startTimeOf } from '#platform/processes';
import { replaceFile } from '../durable-file.ts';
import { createFileStore, type FileStore, type OpenFile, type StoredFiles } from '../file-store.ts';
import { servingErrors } from '../serving-errors.ts';

/** What is kept of a version: what of the registry's answer its revision is made of. */
export type KnownVersion = Pick<ModelVersionView, 'version' | 'files' | 'digest' | 'runtime' | 'signature'>;

/**
 * What was fetched from registries, kept for the next start. Any number of processes share it: each says in a file of its
 * own what it uses, and none removes that. Of the rest goes what nobody asked for so long, and of what is left, the longest
 * unused first, what is beyond the budget.
 *
 *   <folder>/files/…                      by digest, and the folders of models that are made of them (file-store)
 *   <folder>/versions/<sha256>.json       of project, name and version or alias; its time is when it was used last
 *   <folder>/users/<host>-<pid>-….json    of processes, the dead ones' until somebody looks
 */
export interface ModelCache {
  readonly files: Omit<FileStore, 'collect'>;
  find(at: readonly string[]): Promise<KnownVersion | undefined>;
  /** Once its files are there. */
  keep(at: readonly string[], version: KnownVersion): Promise<void>;
  /** Says what this process uses, before it fetches or loads it. */
  hold(used: readonly StoredFiles[]): Promise<void>;
  /** Removes what nobody uses and is not worth its room. */
  collect(): Promise<void>;
  /** This process uses nothing any more. */
  close(): Promise<void>;
}

/** What nobody has served for so long is not kept, however much room there is. */
const unusedMs = 30 * 24 * 3_600_000;
/** How often a process says that it still uses what it holds. */
const touchEveryMs = 3_600_000;
/** A process of another host, or of another container, that has not said so for so long is gone. */
const silentMs = 3 * touchEveryMs;
const lockWaitMs = 10_000;

interface User {
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly used: readonly StoredFiles[];
}
interface Kept {
  readonly path: string;
  readonly usedAtMs: number;
  readonly files: StoredFiles['files'];
}

export async function openModelCache(options: {
  readonly folder: string;
  readonly open: OpenFile;
  readonly budgetBytes: number;
  readonly nowMs?: () => number;
}): Promise<ModelCache> {
  const { folder, budgetBytes, nowMs = Date.now } = options;
  const [versions, users] = [join(folder, 'versions'), join(folder, 'users')];
  await Promise.all([versions, users].map((path) => mkdir(path, { recursive: true })));
  const store = await createFileStore({ folder: join(folder, 'files'), open: options.open });
  const own = join(users, `${hostname()}-${process.pid}-${randomUUID()}.json`);
  const startedAt = startTimeOf(process.pid) ?? '';
  const served = new Set<string>();
  let held = '[]';

  const pathOf = (at: readonly string[]) => join(versions, `${digestOf(at)}.json`);

  async function touch(): Promise<void> {
    const now = nowMs() / 1000;
    for (const path of [own, ...served]) await utimes(path, now, now).catch(() => undefined); // removed meanwhile
  }
  const timer = setInterval(() => void touch(), touchEveryMs);
  timer.unref();

  return {
    files: store,
    async find(at) {
      const known = await readJson<KnownVersion>(pathOf(at));
      if (known !== undefined) served.add(pathOf(at));
      return known;
    },
    async keep(at, version) {
      await locked(folder, () => replaceFile(pathOf(at), JSON.stringify(version)));
      served.add(pathOf(at));
    },
    async hold(used) {
      const text = JSON.stringify(used);
      if (text === held) return;
      const user = JSON.stringify({ host: hostname(), pid: process.pid, startedAt, used } satisfies User);
      await locked(folder, async () => {
        await writeFile(`${own}.part`, user);
        await rename(`${own}.part`, own);
      });
      held = text;
    },
    async collect() {
      await touch();
      await locked(folder, async () => {
        const used = await readUsers(users, nowMs());
        const { kept, left } = choose(await readVersions(versions), used, budgetBytes, nowMs());
        for (const { path } of left) await rm(path, { force: true });
        await store.collect([...used, ...kept]);
      });
    },
    async close() {
      clearInterval(timer);
      await touch();
      await rm(own, { force: true });
    },
  };
}

/** Newest first, as long as there is room; what is used stays in any case. */
function choose(
  versions: readonly Kept[],
  used: readonly StoredFiles[],
  budgetBytes: number,
  now: number,
): { readonly kept: readonly Kept[]; readonly left: readonly Kept[] } {
  const sizes = new Map(used.flatMap(({ files }) => files.map(({ digest, sizeBytes }) => [digest, sizeBytes])));
  let bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const kept: Kept[] = [];
  const left: Kept[] = [];
  for (const version of versions.toSorted((a, b) => b.usedAtMs - a.usedAtMs)) {
    const added = new Map(version.files.map(({ digest, sizeBytes }) => [digest, sizeBytes]));
    for (const digest of sizes.keys()) added.delete(digest);
    const addedBytes = [...added.values()].reduce((sum, size) => sum + size, 0);
    if (added.size > 0 && (version.usedAtMs < now - unusedMs || bytes + addedBytes > budgetBytes)) {
      left.push(version);
      continue;
    }
    kept.push(version);
    for (const [digest, size] of added) sizes.set(digest, size);
    bytes += addedBytes;
  }
  return { kept, left };
}

/** Processes wait for one another: what one begins to use is there, or it is fetched after the other has removed it. */
async function locked(folder: string, work: () => Promise<void>): Promise<void> {
  const until = Date.now() + lockWaitMs;
  for (;;) {
    try {
      const lock = acquireLockFile(join(folder, 'cache.lock'), (holder) =>
        servingErrors.LOCAL_HOME_IN_USE(folder, holder),
      );
      try {
        return await work();
      } finally {
        lock.release();
      }
    } catch (error) {
      if (!isAppError(error, 'LOCAL_HOME_IN_USE') || Date.now() > until) throw error;
      await delay(20);
    }
  }
}

/** What running processes use; what dead ones have left is removed. */
async function readUsers(folder: string, now: number): Promise<readonly StoredFiles[]> {
  const found: StoredFiles[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!name.endsWith('.json')) await rm(path, { force: true }); // of a write that was broken off: nobody writes now
    const [user, times] = await Promise.all([readJson<User>(path), stat(path).catch(() => undefined)]);
    const isYoung = times !== undefined && times.mtimeMs > now - silentMs;
    const isThere = user?.host === hostname() ? isAlive(user.pid, user.startedAt) : isYoung; // whatever of another host it is
    if (isThere) found.push(...(user?.used ?? []));
    else await rm(path, { force: true });
  }
  return found;
}

async function readVersions(folder: string): Promise<readonly Kept[]> {
  const found: Kept[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const known = name.endsWith('.json') ? await readJson<KnownVersion>(path) : undefined;
    const files = known === undefined ? undefined : filesOf(known);
    if (files === undefined) await rm(path, { force: true });
    else found.push({ path, usedAtMs: (await stat(path)).mtimeMs, files });
  }
  return found;
}

/** The files of a version as it is served; undefined when it cannot be. */
export function filesOf(known: KnownVersion): StoredFiles['files'] | undefined {
  const servable = readServable(known);
  return typeof servable === 'string'
    ? undefined
    : servable.files.map(({ path, sha256, sizeBytes }) => ({ path, digest: sha256, sizeBytes }));
}

/** Written by us alone, whole or not at all. */
async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      return undefined;
    throw error;
  }
}

export const digestOf = (parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');
