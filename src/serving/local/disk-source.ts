import type { FileStore } from '../file-store.ts';
import { servingErrors } from '../serving-errors.ts';
import { findLocalModels } from './find-models.ts';
import { type CountedFiles, describeModel } from './local-spec.ts';
import type { FoundModel, ModelSource } from './model-source.ts';
import { explainTritonSignature } from './triton-model.ts';

/** Models that lie at a path (find-models.ts): loaded from where they lie, and known by what the file system says of them. */
export function createDiskSource(path: string): ModelSource {
  /** Absolute paths by the digests that stand for them: of what is served, and of what was seen last. */
  let served: ReadonlyMap<string, string> = new Map();
  let seen: ReadonlyMap<string, string> = new Map();
  const counted: CountedFiles = new Map();

  const files: FileStore = {
    async materialise([main]) {
      const found = main && (seen.get(main.digest) ?? served.get(main.digest));
      if (found === undefined) throw servingErrors.LOCAL_MODELS_MISSING(path, 'the file has been replaced meanwhile');
      return found;
    },
    explainMisfit: explainTritonSignature,
    assertWhole: async () => undefined,
    async collect(revisions) {
      const needed = new Set(revisions.flatMap(({ files: named }) => named.map(({ digest }) => digest)));
      served = new Map([...served, ...seen].filter(([digest]) => needed.has(digest)));
    },
  };

  return {
    from: path,
    changes: true,
    mayLeaveFolder: true,
    files,
    async list() {
      const models = await findLocalModels(path);
      const described = await Promise.all(models.map((model) => describeModel(model, counted)));
      served = new Map([...served, ...seen]);
      seen = new Map(described.flatMap(({ paths }) => [...paths]));
      return described.map(({ model }): FoundModel => model);
    },
    close: async () => undefined,
  };
}
