import type { Dirent } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { RunRecord } from '#contracts/transfer';
import { TransferError } from './transfer-error.ts';

export type Meta = Readonly<Record<string, unknown>>;
export const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
export const number = (value: unknown): number => Number(text(value) || 0);
export const isDeleted = (meta: Meta): boolean => meta['lifecycle_stage'] === 'deleted';

export async function readMeta(folder: string, name = 'meta.yaml'): Promise<Meta | undefined> {
  const found = await readFile(join(folder, name), 'utf8').catch(() => undefined);
  if (found === undefined) return undefined;
  try {
    const meta: unknown = parse(found);
    return typeof meta === 'object' && meta !== null ? (meta as Meta) : undefined;
  } catch (error) {
    throw new TransferError('SOURCE_UNREADABLE', 'invalid', `${join(folder, name)} is no YAML`, {
      cause: error,
    });
  }
}

export async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export async function foldersOf(folder: string): Promise<readonly string[]> {
  return (await entriesOf(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** The keys below a folder, each the path of a file. */
export async function keysOf(folder: string, below = ''): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const entry of await entriesOf(join(folder, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) keys.push(...(await keysOf(folder, path)));
    else keys.push(path);
  }
  return keys;
}

export async function pairsOf(folder: string): Promise<RunRecord['tags']> {
  const pairs: RunRecord['tags'] = [];
  for (const key of await keysOf(folder)) pairs.push({ key, value: await readFile(join(folder, key), 'utf8') });
  return pairs;
}
