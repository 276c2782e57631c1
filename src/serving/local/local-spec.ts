import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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

/** A revision is known by what the file system says of its files, so one that is replaced is another revision. */
export async function describeModel(model: LocalModel): Promise<DescribedModel> {
  const { name, warnings, problem, instances } = model;
  if (problem !== undefined) return { model: { name, revisions: [], warnings, problem }, paths: new Map() };
  const described = await Promise.all(model.versions.map((version) => describe(name, version, instances)));
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

async function describe(name: string, version: LocalVersion, instances: number | undefined) {
  const isFolder = (await stat(version.path)).isDirectory();
  const { main = 'MLmodel', signature, maxBatchRows, maxBatchDelayMs, parts = [] } = version;
  const path = isFolder ? join(version.path, main) : version.path;
  const own = await (isFolder ? printFolder(version.path) : printFile(path));
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

async function printFolder(folder: string): Promise<readonly FilePrint[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory() && !entry.parentPath.includes('__pycache__'));
  const prints = files.map((entry) => printOne(entry.parentPath, entry.name));
  return (await Promise.all(prints)).toSorted((a, b) => (a.name + a.changed < b.name + b.changed ? -1 : 1));
}

/** MLflow keeps an example of the inputs in the folder of its model. */
async function exampleBeside(path: string): Promise<string | undefined> {
  for (const name of inputExampleFiles) if (await isFile(join(dirname(path), name))) return name;
  return undefined;
}

const toSpecTensor = ({ name, datatype, shape }: TensorSignature) => ({ name, datatype, shape: [...shape] });
