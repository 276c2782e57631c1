import type { SpecRevision } from '#contracts/deployment-spec';
import { staysInside } from '#contracts/endpoint-problem';
import { findInputExample } from '#contracts/input-example';
import { formatReference, namePattern } from '#contracts/references';
import { readServable } from '#contracts/servable-version';
import { isAppError } from '#platform/errors';
import type { Logger } from '#platform/log';
import { servingErrors } from '../serving-errors.ts';
import { digestOf, filesOf, type KnownVersion, openModelCache } from './model-cache.ts';
import { isExact, type ModelRegistry, type RegisteredModel } from './model-registry.ts';
import type { FoundModel, ModelSource } from './model-source.ts';

/**
 * A version of a registry, asked for at each look. Its files are fetched and verified once; what was found is kept beside
 * them when they are whole (model-cache), and stands in while the registry cannot be reached.
 */
export async function createRegistrySource(options: {
  readonly registry: ModelRegistry;
  readonly model: RegisteredModel;
  /** The folder of what was fetched, and how much of it is kept that is not served now. */
  readonly cache: string;
  readonly cacheBytes: number;
  readonly logger: Logger;
}): Promise<ModelSource> {
  const { registry, model, logger } = options;
  const { project, name } = model;
  const from = formatReference('model', name, model.at);
  if (!new RegExp(namePattern).test(name))
    throw servingErrors.LOCAL_MODEL_FAILED(name, 'its name cannot stand in a path');
  const cache = await openModelCache({
    folder: options.cache,
    budgetBytes: options.cacheBytes,
    open: (digest) =>
      registry.open(digest).catch((error: unknown) => {
        throw servingErrors.CONTROL_PLANE_UNREACHABLE(`file ${digest}`, messageOf(error));
      }),
  });
  const keyOf = (at: string) => [project, name, at];
  let served: KnownVersion | undefined;
  let isAway = false;

  /** Beside what is served now, which goes when the other is in force. */
  const hold = (next: KnownVersion): Promise<void> =>
    cache.hold([served, next].flatMap((one) => (one === undefined ? [] : [{ files: filesOf(one) ?? [] }])));

  async function keep(version: KnownVersion): Promise<void> {
    for (const at of new Set([model.at, String(version.version)])) await cache.keep(keyOf(at), version);
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
    await hold(found);
    await cache.files.materialise(filesOf(found) ?? [], servable.runtime !== 'onnx');
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
      const known = served ?? (await cache.find(keyOf(model.at)));
      if (known === undefined) throw error;
      await hold(known);
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
    files: {
      ...cache.files,
      async collect(revisions) {
        try {
          await cache.hold(revisions.map(({ files }) => ({ files })));
          await cache.collect();
        } catch (error) {
          logger.warn({ err: error }, 'what is not served any more could not be removed'); // and is the next time
        }
      },
    },
    async list() {
      served = await find();
      return [await toModel(name, served)];
    },
    close: () => cache.close(),
  };
}

async function toModel(name: string, known: KnownVersion): Promise<FoundModel> {
  const { version } = known;
  const servable = readServable(known);
  if (typeof servable === 'string') return { name, revisions: [], warnings: [], problem: servable };
  const { readModelSignature } = await import('#contracts/model-signature'); // with what checks it, when there is something to check
  const signature = readModelSignature(known.signature);
  const files = filesOf(known) ?? [];
  const inputExample = findInputExample(files);
  const revision: SpecRevision = {
    id: `${name}@${version}-${digestOf([files, signature]).slice(0, 12)}`,
    modelRef: formatReference('model', name, version),
    runtime: servable.runtime,
    files: [...files],
    ...(signature !== undefined && { signature }),
    ...(inputExample !== undefined && { inputExample }),
  };
  return { name, revisions: [revision], warnings: [] };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
