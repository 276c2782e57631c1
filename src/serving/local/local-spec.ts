import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import { inputExampleFiles } from '#contracts/input-example';
import type { TensorSignature } from '#contracts/tensor';
import { isFile } from './local-files.ts';
import type { LocalModel, LocalVersion } from './local-model.ts';

/** The project of models that have none. */
export const localProject = 'default';

/** Models as endpoints of a spec, and where the files lie that it names. */
export interface DescribedModels {
  readonly endpoints: readonly SpecEndpoint[];
  /** Absolute paths by the digests that stand for them. */
  readonly paths: ReadonlyMap<string, string>;
}

interface Revision {
  readonly described: SpecRevision;
  readonly path: string;
}

/**
 * The models that can be served. The newest version of each has all of the traffic, the others answer to those that name
 * them. A revision is known by what the file system says of its file, so a file that is replaced is another revision.
 */
export async function describeModels(models: readonly LocalModel[]): Promise<DescribedModels> {
  const paths = new Map<string, string>();
  const endpoints: SpecEndpoint[] = [];
  for (const model of models) {
    if (model.problem !== undefined) continue;
    const revisions = await Promise.all(model.versions.map((version) => describe(model, version)));
    for (const { described, path } of revisions) for (const { digest } of described.files) paths.set(digest, path);
    endpoints.push({
      project: localProject,
      name: model.name,
      access: { tokens: [] },
      traffic: revisions.slice(-1).map(({ described }) => ({ revision: described.id, basisPoints: 10_000 })),
      shadows: [],
      capture: { enabled: false },
      revisions: revisions.map(({ described }) => described),
    });
  }
  return { endpoints, paths };
}

async function describe(model: LocalModel, version: LocalVersion): Promise<Revision> {
  const found = await stat(version.path, { bigint: true });
  const path = found.isDirectory() ? join(version.path, 'MLmodel') : version.path;
  const { size, mtimeNs, ino } = found.isDirectory() ? await stat(path, { bigint: true }) : found;
  const { signature, maxBatchRows } = version;
  const print = JSON.stringify([path, String(size), String(mtimeNs), String(ino), signature, maxBatchRows]);
  const example = await exampleBeside(path);
  const digest = createHash('sha256').update(print).digest('hex');
  return {
    path,
    described: {
      id: `${model.name}@${version.version}-${digest.slice(0, 12)}`,
      modelRef: `model:${model.name}@${version.version}`,
      runtime: version.runtime,
      files: [{ path: basename(path), digest, sizeBytes: Number(size) }],
      ...(signature !== undefined && {
        signature: { inputs: signature.inputs.map(toSpecTensor), outputs: signature.outputs.map(toSpecTensor) },
      }),
      ...(maxBatchRows !== undefined && { maxBatchRows }),
      ...(example !== undefined && { inputExample: example }),
    },
  };
}

/** MLflow keeps an example of the inputs in the folder of its model. */
async function exampleBeside(path: string): Promise<string | undefined> {
  for (const name of inputExampleFiles) if (await isFile(join(dirname(path), name))) return name;
  return undefined;
}

const toSpecTensor = ({ name, datatype, shape }: TensorSignature) => ({ name, datatype, shape: [...shape] });
