import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpecRevision } from '#contracts/deployment-spec';
import { staysInside } from '#contracts/endpoint-problem';
import { findInputExample } from '#contracts/input-example';
import { formatReference, namePattern } from '#contracts/references';
import type { ModelVersionView } from '#contracts/registry';
import { readServable } from '#contracts/servable-version';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { replaceFile } from '../durable-file.ts';
import { createFileStore } from '../file-store.ts';
import { servingErrors } from '../serving-errors.ts';
import { isExact, type ModelRegistry, type RegisteredModel } from './model-registry.ts';
import type { FoundModel, ModelSource } from './model-source.ts';

/** What is kept of a version: what of the registry's answer its revision is made of. */
type KnownVersion = Pick<ModelVersionView, 'version' | 'files' | 'digest' | 'runtime' | 'signature'>;

/**
 * A version of a registry, asked for at each look. Its files are fetched and verified once; what was found is kept beside
 * them when they are whole, and stands in while the registry cannot be reached.
 *
 *   <cache>/files/<sha256>   <cache>/versions/<sha256 of project, name and version or alias>.json
 */
export async function createRegistrySource(options: {
  readonly registry: ModelRegistry;
  readonly model: RegisteredModel;
  readonly cache: string;
  readonly logger: Logger;
}): Promise<ModelSource> {
  const { registry, model, cache, logger } = options;
  const { project, name } = model;
  const from = formatReference('model', name, model.at);
  if (!new RegExp(namePattern).test(name))
    throw servingErrors.LOCAL_MODEL_FAILED(name, 'its name cannot stand in a path');
  await mkdir(join(cache, 'versions'), { recursive: true });
  const store = await createFileStore({
    folder: join(cache, 'files'),
    open: (digest) =>
      registry.open(digest).catch((error: unknown) => {
        throw servingErrors.CONTROL_PLANE_UNREACHABLE(`file ${digest}`, messageOf(error));
      }),
  });
  const pathOf = (at: string) => join(cache, 'versions', `${digestOf([project, name, at])}.json`);
  let served: KnownVersion | undefined;
  let isAway = false;

  async function keep(version: KnownVersion): Promise<void> {
    const text = JSON.stringify(version);
    for (const at of new Set([model.at, String(version.version)])) await replaceFile(pathOf(at), text);
  }

  async function fetchNow(): Promise<KnownVersion> {
    const { version, files, digest, runtime, signature } = await registry.find(name, model.at);
    const found = {
      version,
      files,
      ...(digest !== undefined && { digest }),
      ...(runtime !== undefined && { runtime }),
      ...(signature !== undefined && { signature }),
    };
    if (served !== undefined && JSON.stringify(served) === JSON.stringify(found)) return served;
    const servable = readServable(found);
    if (typeof servable === 'string') throw servingErrors.LOCAL_MODEL_FAILED(from, `version ${version}: ${servable}`);
    const outside = files.find(({ path }) => !staysInside(path));
    if (outside !== undefined)
      throw servingErrors.LOCAL_MODEL_FAILED(from, `its file "${outside.path}" leaves the model's folder`);
    await store.materialise(toFiles(servable.files), servable.runtime !== 'onnx');
    await keep(found);
    return found;
  }

  async function find(): Promise<KnownVersion> {
    try {
      const found = await fetchNow();
      if (isAway) logger.info(`the registry answers again; ${from} is version ${found.version}`);
      isAway = false;
      return found;
    } catch (error) {
      if (!isAppError(error) || (error.kind !== 'unavailable' && error.kind !== 'timeout')) throw error;
      const known = served ?? (await readKept(pathOf(model.at)));
      if (known === undefined) throw error;
      if (!isAway)
        logger[isExact(model) ? 'info' : 'warn'](
          `${error.message}; ${from} is served as it was last known, version ${known.version}`,
        );
      isAway = true;
      return known;
    }
  }

  return {
    from,
    changes: !isExact(model),
    mayLeaveFolder: false,
    // what was served before comes back without the registry: nothing is removed
    files: { ...store, collect: async () => undefined },
    async list() {
      served = await find();
      return [await toModel(name, served)];
    },
  };
}

async function readKept(path: string): Promise<KnownVersion | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as KnownVersion; // written by us alone, whole or not at all
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function toModel(name: string, known: KnownVersion): Promise<FoundModel> {
  const { version } = known;
  const servable = readServable(known);
  if (typeof servable === 'string') return { name, revisions: [], warnings: [], problem: servable };
  const { readModelSignature } = await import('#contracts/model-signature'); // with what checks it, when there is something to check
  const signature = readModelSignature(known.signature);
  const files = toFiles(servable.files);
  const inputExample = findInputExample(files);
  const revision: SpecRevision = {
    id: `${name}@${version}-${digestOf([files, signature]).slice(0, 12)}`,
    modelRef: formatReference('model', name, version),
    runtime: servable.runtime,
    files,
    ...(signature !== undefined && { signature }),
    ...(inputExample !== undefined && { inputExample }),
  };
  return { name, revisions: [revision], warnings: [] };
}

const toFiles = (files: readonly { readonly path: string; readonly sha256: string; readonly sizeBytes: number }[]) =>
  files.map(({ path, sha256, sizeBytes }) => ({ path, digest: sha256, sizeBytes }));

const digestOf = (parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
