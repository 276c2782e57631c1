import { findRunnable, type RunnableFolder } from './model-folder.ts';

/*
 * How a version of a model is served, by what the registry knows of it: the control plane's deployments and
 * `tidemill serve <reference>` must say the same.
 */

interface VersionFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** What of a version counts: the digest is that of its main file, when it was registered with one. */
export interface RegisteredFiles {
  readonly files: readonly VersionFile[];
  readonly digest?: string | undefined;
  readonly runtime?: string | undefined;
}

export interface ServableVersion {
  readonly runtime: RunnableFolder['runtime'];
  /** The one that is loaded comes first. */
  readonly files: readonly VersionFile[];
}

const runtimes = ['onnx', 'python', 'command'] as const;

/** How a version is served, or why it cannot be. */
export function readServable(version: RegisteredFiles): ServableVersion | string {
  const { files, digest } = version;
  if (files.length === 0) return 'its files are not kept here';
  if (digest === undefined) {
    const found = findRunnable(files);
    if (found === undefined)
      return 'its files are no model that is known: an MLmodel, an .onnx, a pickle, a model.py or a command.json';
    return { runtime: found.runtime, files: mainFirst(files, ({ path }) => path === found.main) };
  }
  const runtime = runtimes.find((known) => known === version.runtime);
  if (runtime !== undefined) return { runtime, files: mainFirst(files, ({ sha256 }) => sha256 === digest) };
  return version.runtime === undefined ? 'it names no runtime' : `runtime "${version.runtime}" is not known`;
}

function mainFirst(files: readonly VersionFile[], isMain: (file: VersionFile) => boolean): readonly VersionFile[] {
  return files.toSorted((a, b) => Number(isMain(b)) - Number(isMain(a)));
}
