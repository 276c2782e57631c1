import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { SpecRevision } from '#contracts/deployment-spec';
import { inputExampleFiles } from '#contracts/input-example';
import type { TensorSignature } from '#contracts/tensor';
import { isFile } from './local-files.ts';
import type { LocalModel, LocalVersion } from './local-model.ts';
import type { FoundModel } from './model-source.ts';

/** A model as revisions of a spec, and where the files lie that they name. */
export interface DescribedModel {
  readonly model: FoundModel;
  /** Absolute paths by the digests that stand for them. */
  readonly paths: ReadonlyMap<string, string>;
}

/** Of folders of programs the files that counted at the last look; kept by who looks again. */
export type CountedFiles = Map<string, { readonly names: ReadonlySet<string>; readonly said: string }>;

/** A revision is known by what the file system says of its files, so one that is replaced is another revision. */
export async function describeModel(model: LocalModel, counted: CountedFiles = new Map()): Promise<DescribedModel> {
  const { name, warnings, problem, instances } = model;
  if (problem !== undefined) return { model: { name, revisions: [], warnings, problem }, paths: new Map() };
  const described = await Promise.all(model.versions.map((version) => describe(name, version, instances, counted)));
  return {
    model: {
      name,
      revisions: described.map(({ revision }) => revision),
      warnings,
      ...(instances !== undefined && { instances }),
    },
    paths: new Map(described.map(({ digest, path }) => [digest, path])),
  };
}

async function describe(name: string, version: LocalVersion, instances: number | undefined, counted: CountedFiles) {
  const isFolder = (await stat(version.path)).isDirectory();
  const { main = 'MLmodel', signature, maxBatchRows, maxBatchDelayMs, parts = [] } = version;
  const path = isFolder ? join(version.path, main) : version.path;
  const own = await printOwn(version, isFolder, counted);
  const files = [...own, ...(await Promise.all(parts.map((part) => printOne(dirname(part), basename(part)))))];
  const inputExample = await exampleBeside(path);
  const digest = createHash('sha256')
    .update(JSON.stringify([path, files, signature, maxBatchRows, maxBatchDelayMs, instances]))
    .digest('hex');
  const revision: SpecRevision = {
    id: `${name}@${version.version}-${digest.slice(0, 12)}`,
    modelRef: `model:${name}@${version.version}`,
    runtime: version.runtime,
    files: [{ path: basename(path), digest, sizeBytes: files.reduce((sum, { size }) => sum + size, 0) }],
    ...(signature !== undefined && {
      signature: { inputs: signature.inputs.map(toSpecTensor), outputs: signature.outputs.map(toSpecTensor) },
    }),
    ...(maxBatchRows !== undefined && { maxBatchRows }),
    ...(maxBatchDelayMs !== undefined && { maxBatchDelayMs }),
    ...(inputExample !== undefined && { inputExample }),
  };
  return { revision, digest, path };
}

function printOwn(
  { path, main }: LocalVersion,
  isFolder: boolean,
  counted: CountedFiles,
): Promise<readonly FilePrint[]> {
  if (!isFolder) return printFile(path);
  return main === 'model.py' || main === 'command.json' ? printProgram(path, counted) : printFolder(path);
}

/** What tells one state of a file from another without reading it. */
interface FilePrint {
  readonly name: string;
  readonly size: number;
  readonly changed: string;
}

async function printOne(folder: string, name: string): Promise<FilePrint> {
  const { size, mtimeNs, ino } = await stat(join(folder, name), { bigint: true });
  return { name, size: Number(size), changed: `${mtimeNs}-${ino}` };
}

/** The file with the weights beside it, which exporters call `<file>.data` or `<file>_data`. */
async function printFile(path: string): Promise<readonly FilePrint[]> {
  const name = basename(path);
  const names = (await readdir(dirname(path))).filter(
    (other) => other === name || (/^[._]data$/.test(other.slice(name.length)) && other.startsWith(name)),
  );
  return Promise.all(names.toSorted().map((other) => printOne(dirname(path), other)));
}

const isAny = () => true;

async function printFolder(folder: string, counts: (name: string) => boolean = isAny): Promise<readonly FilePrint[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  return Promise.all(
    names
      .filter(counts)
      .toSorted()
      .map((name) => printOne(folder, name)),
  );
}

/**
 * A program may work in its folder and write a log or a cache there: what has come since those files were loaded that
 * lie there does not count before one of them has changed or is gone.
 */
async function printProgram(folder: string, counted: CountedFiles): Promise<readonly FilePrint[]> {
  const before = counted.get(folder);
  if (before !== undefined) {
    const prints = await printFolder(folder, (name) => before.names.has(name));
    if (JSON.stringify(prints) === before.said) return prints;
  }
  const prints = await printFolder(folder);
  counted.set(folder, { names: new Set(prints.map(({ name }) => name)), said: JSON.stringify(prints) });
  return prints;
}

/** MLflow keeps an example of the inputs in the folder of its model. */
async function exampleBeside(path: string): Promise<string | undefined> {
  for (const name of inputExampleFiles) if (await isFile(join(dirname(path), name))) return name;
  return undefined;
}

const toSpecTensor = ({ name, datatype, shape }: TensorSignature) => ({ name, datatype, shape: [...shape] });
