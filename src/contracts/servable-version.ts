/*
 * How a version of a model is served, by what the registry knows of it: the control plane's deployments and
 * `tidemill serve <reference>` must say the same.
 */

/** How a model's folder is run, and which file of it is loaded. */
export interface RunnableFolder {
  readonly runtime: 'onnx' | 'python' | 'command';
  readonly main: string;
}

const byExtension = { onnx: /\.onnx$/, python: /\.(?:pkl|pickle|joblib|pt|pth|pt2|ubj|xgb|lgb|bst)$/ } as const;

/**
 * What the names of a version's files say of how it is run; undefined when nothing is known by these names. A model that
 * MLflow logged is one in Python, unless it is an ONNX model, whose file MLflow puts beside its `MLmodel`.
 */
export function findRunnable(files: readonly { readonly path: string }[]): RunnableFolder | undefined {
  const names = files.map(({ path }) => path).filter((path) => !path.includes('/'));
  if (names.includes('MLmodel'))
    return names.includes('model.onnx')
      ? { runtime: 'onnx', main: 'model.onnx' }
      : { runtime: 'python', main: 'MLmodel' };
  if (names.includes('command.json')) return { runtime: 'command', main: 'command.json' };
  if (names.includes('model.py')) return { runtime: 'python', main: 'model.py' };
  for (const runtime of ['onnx', 'python'] as const) {
    const [main, ...others] = names.filter((name) => byExtension[runtime].test(name));
    if (main !== undefined && others.length === 0) return { runtime, main };
  }
  return undefined;
}

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
