import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import type { RunRecord } from '#contracts/transfer';
import type { ExportOptions } from './export-report.ts';
import { noProgress, type Progress } from './progress.ts';
import { toPythonYaml } from './python-yaml.ts';
import type { Source, SourceFile } from './source.ts';

/** A folder on the way to have everything of a source. */
export interface FolderTarget {
  readonly source: Source;
  readonly root: string;
  readonly progress: Progress;
  /** What does not go there, in words. */
  readonly left: string[];
  /** By id of run or logged model: its folder. */
  readonly places: Map<string, string>;
  readonly step: () => void;
  /** A key is the path of a file; one that is a folder of another key's path cannot be. */
  readonly writeKey: (folder: string, key: string, text: string, owner: string) => Promise<void>;
  readonly writePairs: (folder: string, pairs: RunRecord['tags'], owner: string) => Promise<void>;
  /** Copies what lies under an address of that owner's; returns where it lies now. */
  readonly writeFiles: (uri: string, owner: string, into: string) => Promise<string>;
}

export const uriOf = (path: string): string => pathToFileURL(path).href;

export function createFolderTarget(source: Source, root: string, options: ExportOptions): FolderTarget {
  const progress = noProgress();
  const left: string[] = [];
  const step = (): void => {
    options.signal.throwIfAborted();
    options.onProgress(progress);
  };

  const writeKey: FolderTarget['writeKey'] = async (folder, key, text, owner) => {
    const file = join(folder, key);
    try {
      if (!file.startsWith(folder + sep)) throw new Error('leaves its folder');
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    } catch (error) {
      left.push(`"${key}" of ${owner} cannot be a file beside its other keys (${(error as Error).message})`);
    }
  };

  const writePairs: FolderTarget['writePairs'] = async (folder, pairs, owner) => {
    await mkdir(folder, { recursive: true });
    for (const { key, value } of pairs) await writeKey(folder, key, value, owner);
  };

  const writeFiles: FolderTarget['writeFiles'] = async (uri, owner, into) => {
    const found = await source.artifacts(uri, owner);
    if (!('files' in found)) return uri;
    await mkdir(into, { recursive: true });
    for await (const file of found.files) {
      options.signal.throwIfAborted();
      const path = join(into, file.path);
      if (!path.startsWith(into + sep)) throw new Error(`the file ${file.path} would leave ${into}`);
      progress.files += 1;
      progress.fileBytes += file.sizeBytes;
      if (await isThere(file, path)) continue;
      await mkdir(dirname(path), { recursive: true });
      await copyChecked(file, path);
      progress.sentBytes += file.sizeBytes;
      step();
    }
    return uriOf(into);
  };

  return { source, root, progress, left, places: new Map(), step, writeKey, writePairs, writeFiles };
}

export async function writeMeta(path: string, meta: object): Promise<void> {
  await mkdir(path, { recursive: true });
  const draft = join(path, 'meta.yaml.part');
  await writeFile(draft, toPythonYaml(meta));
  await rename(draft, join(path, 'meta.yaml'));
}

/** Whether a former export has brought these very bytes. */
async function isThere(file: Pick<SourceFile, 'sha256' | 'sizeBytes'>, path: string): Promise<boolean> {
  if (file.sha256 === undefined || (await stat(path).catch(() => undefined))?.size !== file.sizeBytes) return false;
  const digest = createHash('sha256');
  await pipeline(createReadStream(path), digest);
  return digest.digest('hex') === file.sha256;
}

/** Copies bytes and compares their digest; a copy that broke off leaves a draft. */
async function copyChecked(file: SourceFile, path: string): Promise<void> {
  const digest = createHash('sha256');
  const draft = `${path}.part`;
  await pipeline(
    await file.open(),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        digest.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(draft),
  );
  const found = digest.digest('hex');
  if (file.sha256 !== undefined && file.sha256 !== found)
    throw new Error(`the bytes of ${file.path} arrived as ${found}, not ${file.sha256}: start the export again`);
  await rename(draft, path);
}

/** Python reads `nan`, `inf` and `-inf`. */
export const toPython = (value: number | string): string =>
  value === 'NaN' ? 'nan' : value === 'Infinity' ? 'inf' : value === '-Infinity' ? '-inf' : String(value);
