import type { Dirent } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { RunRecord } from '#contracts/transfer';
import type { LeftLinks } from './source-links.ts';
import { TransferError } from './transfer-error.ts';

export type Meta = Readonly<Record<string, unknown>>;
export const isDeleted = (meta: Meta): boolean => meta['lifecycle_stage'] === 'deleted';

/** Reads a file store. MLflow makes no links in it: none is followed, and each is told. */
export interface MlrunsFiles {
  readonly readMeta: (folder: string, name?: string) => Promise<Meta | undefined>;
  /** Names of folders in a folder; none when there is no such folder. */
  readonly foldersOf: (folder: string) => Promise<readonly string[]>;
  /** The keys below a folder, each the path of a file. */
  readonly keysOf: (folder: string) => Promise<readonly string[]>;
  readonly pairsOf: (folder: string) => Promise<RunRecord['tags']>;
}

export function createMlrunsFiles(links: LeftLinks): MlrunsFiles {
  async function entriesOf(folder: string): Promise<readonly Dirent[]> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isSymbolicLink()) links.add(join(folder, entry.name));
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async function keysOf(folder: string, below = ''): Promise<readonly string[]> {
    const keys: string[] = [];
    for (const entry of await entriesOf(join(folder, below))) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) keys.push(...(await keysOf(folder, path)));
      else if (entry.isFile()) keys.push(path);
    }
    return keys;
  }

  return {
    async readMeta(folder, name = 'meta.yaml') {
      const path = join(folder, name);
      const status = await lstat(path).catch(() => undefined);
      if (status?.isSymbolicLink() === true) links.add(path);
      return status?.isFile() === true ? await parseMeta(path) : undefined;
    },
    foldersOf: async (folder) =>
      (await entriesOf(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name),
    keysOf: (folder) => keysOf(folder),
    async pairsOf(folder) {
      const pairs: RunRecord['tags'] = [];
      for (const key of await keysOf(folder)) pairs.push({ key, value: await readFile(join(folder, key), 'utf8') });
      return pairs;
    },
  };
}

async function parseMeta(path: string): Promise<Meta | undefined> {
  const found = await readFile(path, 'utf8');
  try {
    const meta: unknown = parse(found);
    return typeof meta === 'object' && meta !== null ? (meta as Meta) : undefined;
  } catch (error) {
    throw new TransferError('SOURCE_UNREADABLE', 'invalid', `${path} is no YAML`, { cause: error });
  }
}

/** Whether a text of a meta.yaml names something in a folder, and nothing beside it. */
export const isPlainName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !/[/\\]/.test(name);
