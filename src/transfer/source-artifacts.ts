import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArtifactFolder, SourceFile } from './source.ts';

/**
 * Files under an address that this machine can read: a path, `file:`, or `mlflow-artifacts:/` where the folder behind it
 * is known. Everything else (s3:, gs:, …) stays where it is.
 */
export async function openArtifacts(
  uri: string,
  options: {
    /** The folder behind `mlflow-artifacts:/`. */
    readonly proxied?: string | undefined;
    /** Where it may lie now, when it is not where the address says: a store that was moved. */
    readonly moved?: string | undefined;
  },
): Promise<ArtifactFolder> {
  if (uri === '') return { keptAt: '', why: 'it has no address' };
  const folder = toFolder(uri, options.proxied);
  if (folder === undefined) return { keptAt: uri, why: whyNot(uri) };
  for (const candidate of [folder, options.moved])
    if (candidate !== undefined && (await isFolder(candidate))) return { files: walk(candidate) };
  // a run that logged no file has no folder; one whose store is elsewhere has none of those above it either
  const above = resolve(folder, '..', '..', '..');
  if (options.moved !== undefined || uri.startsWith('mlflow-artifacts:') || (await isFolder(above)))
    return { files: walk(folder) };
  return { keptAt: uri, why: 'there is no such folder on this machine' };
}

function toFolder(uri: string, proxied: string | undefined): string | undefined {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(uri) ?? [];
  if (scheme === undefined) return resolve(uri);
  if (scheme === 'file') return fromFileUri(uri);
  if (scheme !== 'mlflow-artifacts' || proxied === undefined) return undefined;
  const path = rest.replace(/^\/\/[^/]+/, '').replace(/^\/+/, ''); // mlflow-artifacts://host:port/path names its server
  const folder = resolve(proxied, path);
  return folder === proxied || folder.startsWith(proxied + sep) ? folder : undefined;
}

function fromFileUri(uri: string): string | undefined {
  try {
    return fileURLToPath(uri.replace(/^file:(?!\/\/)/, 'file://'));
  } catch {
    return undefined; // on another host
  }
}

function whyNot(uri: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(uri)?.[1] ?? '';
  return scheme === 'mlflow-artifacts'
    ? 'the folder behind mlflow-artifacts: is not known'
    : `bytes in ${scheme}: stay where they are`;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Every file below a folder, by path; nothing when there is none. A link to a file counts as that file, as MLflow takes it. */
async function* walk(root: string, below = ''): AsyncGenerator<SourceFile> {
  const entries = await readdir(join(root, below), { withFileTypes: true }).catch(() => []);
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(root, path);
    else {
      const local = join(root, path);
      const found = await stat(local).catch(() => undefined);
      if (found?.isFile() === true)
        yield { path, sizeBytes: found.size, local, open: async () => createReadStream(local) };
    }
  }
}
