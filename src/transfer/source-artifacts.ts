import { createReadStream, type Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isOddFolder, proxiedPathOf, whyOddFolder } from './artifact-path.ts';
import type { ArtifactFolder, SourceFile } from './source.ts';
import type { LeftLinks } from './source-links.ts';

export interface ArtifactOptions {
  /** The id of the run, logged model or trace whose files they are. */
  readonly owner: string;
  readonly links: LeftLinks;
  /** The store's own folder. */
  readonly root?: string | undefined;
  /** The folder behind `mlflow-artifacts:/`. */
  readonly proxied?: string | undefined;
  /** Where it may lie now, when it is not where the address says: a store that was moved. */
  readonly moved?: string | undefined;
}

/**
 * Files under an address that this machine can read: a path, `file:`, or `mlflow-artifacts:/` where the folder behind it
 * is known. Everything else (s3:, gs:, …) stays where it is. A store may be a stranger's: an address counts when its folder
 * lies in the store itself, or is one that MLflow makes for that owner, `…/<id>/artifacts`; no other of this machine is read.
 */
export async function openArtifacts(uri: string, options: ArtifactOptions): Promise<ArtifactFolder> {
  if (uri === '') return { keptAt: '', why: 'it has no address' };
  const folder = toFolder(uri, options.proxied);
  if (folder === undefined) return { keptAt: uri, why: whyNot(uri) };
  for (const candidate of [folder, options.moved])
    if (candidate !== undefined && (await isFolder(candidate))) return await openFolder(uri, candidate, options);
  // a run that logged no file has no folder; one whose store is elsewhere has none of those above it either
  const above = resolve(folder, '..', '..', '..');
  if (options.moved !== undefined || uri.startsWith('mlflow-artifacts:') || (await isFolder(above)))
    return { files: none() };
  return { keptAt: uri, why: 'there is no such folder on this machine' };
}

async function openFolder(uri: string, folder: string, options: ArtifactOptions): Promise<ArtifactFolder> {
  const { owner, links, root, proxied } = options;
  const own = await realpath(folder);
  const stores: string[] = [];
  for (const store of [root, proxied]) if (store !== undefined) stores.push(await realpath(store));
  const isOwn = own.endsWith(`${sep}${owner}${sep}artifacts`);
  if (!isOwn && !stores.some((store) => isWithin(own, store)))
    return { keptAt: uri, why: `a folder of this machine that is not …/${owner}/artifacts is not read` };
  return { files: walk(own, [own, ...stores], links) };
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder + sep);

function toFolder(uri: string, proxied: string | undefined): string | undefined {
  const scheme = schemeOf(uri);
  if (scheme === undefined) return resolve(uri);
  if (scheme === 'file') return fromFileUri(uri);
  const path = proxiedPathOf(uri);
  return path === undefined || isOddFolder(path) || proxied === undefined ? undefined : resolve(proxied, path);
}

function fromFileUri(uri: string): string | undefined {
  try {
    return fileURLToPath(uri.replace(/^file:(?!\/\/)/, 'file://'));
  } catch {
    return undefined; // on another host
  }
}

function whyNot(uri: string): string {
  const path = proxiedPathOf(uri);
  if (path === undefined) return `bytes in ${schemeOf(uri) ?? 'file'}: stay where they are`;
  return isOddFolder(path) ? whyOddFolder : 'the folder behind mlflow-artifacts: is not known';
}

const schemeOf = (uri: string): string | undefined => /^([a-z][a-z0-9+.-]+):/i.exec(uri)?.[1];

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function* none(): AsyncGenerator<SourceFile> {
  // a folder without files
}

/** Every file below a folder, by path. A link to a file counts as that file, as MLflow takes it, unless it leads out. */
async function* walk(
  root: string,
  within: readonly string[],
  links: LeftLinks,
  below = '',
): AsyncGenerator<SourceFile> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      yield* walk(root, within, links, path);
      continue;
    }
    const local = await toFile(join(root, path), entry, within);
    if (local === undefined) links.add(join(root, path));
    else yield { path, sizeBytes: (await stat(local)).size, local, open: async () => createReadStream(local) };
  }
}

/** The file itself, which a link may name; undefined for whatever is none. */
async function toFile(path: string, entry: Dirent, within: readonly string[]): Promise<string | undefined> {
  if (entry.isFile()) return path;
  const target = entry.isSymbolicLink() ? await realpath(path).catch(() => undefined) : undefined;
  if (target === undefined || !within.some((folder) => isWithin(target, folder))) return undefined;
  return (await stat(target)).isFile() ? target : undefined;
}
