import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { namePattern } from '#contracts/references';
import { graphFile } from '#contracts/servable-version';
import { servingErrors } from '../serving-errors.ts';
import { isFile } from './local-files.ts';
import type { LocalModel } from './local-model.ts';
import { isMlflowModel, readMlflowModel } from './mlflow-model.ts';
import { isMlserverModel, readMlserverModel } from './mlserver-model.ts';
import { readPlainModel } from './plain-model.ts';
import { isTritonModel, readTritonModel } from './triton-model.ts';

/** Files that Python loads, by their ending. */
const pythonFiles: ReadonlySet<string> = new Set(['.joblib', '.pkl', '.pickle', '.ubj', '.xgb', '.bst', '.lgb']);

/**
 * The models at a path: a file, the folder of a model, or a folder of these. LOCAL_MODELS_MISSING when there is nothing, or
 * nothing that could be one; a model that is one but cannot be served says so itself.
 */
export async function findLocalModels(path: string): Promise<readonly LocalModel[]> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) throw servingErrors.LOCAL_MODELS_MISSING(absolute, 'there is nothing');
  const one = await readModel(absolute, false);
  if (one !== undefined) return [checked(one)];
  if (!found.isDirectory()) throw servingErrors.LOCAL_MODELS_MISSING(absolute, `"${extname(absolute)}" is no model`);
  const models: LocalModel[] = [];
  for (const entry of (await readdir(absolute)).toSorted()) {
    if (entry.startsWith('.')) continue;
    const model = await readModel(join(absolute, entry), true);
    if (model !== undefined) models.push(checked(model));
  }
  if (models.length === 0) throw servingErrors.LOCAL_FOLDER_EMPTY(absolute);
  return withoutTwins(models);
}

/** @param isInside whether it lies in the folder of models; the folder itself, with one file of a model, is such a folder. */
async function readModel(path: string, isInside: boolean): Promise<LocalModel | undefined> {
  const found = await stat(path).catch(() => undefined); // it may leave while we look
  if (found === undefined) return undefined;
  if (found.isDirectory()) {
    if (await isFile(join(path, graphFile))) return (await import('./graph-model.ts')).readGraphModel(path); // few have one
    if (await isMlserverModel(path)) return readMlserverModel(path);
    if (await isMlflowModel(path)) return readMlflowModel(path);
    if (await isTritonModel(path)) return readTritonModel(path);
    return readPlainModel(path, isInside);
  }
  const ending = extname(path);
  const runtime = ending === '.onnx' ? 'onnx' : pythonFiles.has(ending) ? 'python' : undefined;
  if (runtime === undefined) return undefined;
  return { name: basename(path, ending), path, versions: [{ version: '1', runtime, path }], warnings: [] };
}

/** Names are those of endpoints, which stand in paths. */
function checked(model: LocalModel): LocalModel {
  if (new RegExp(namePattern).test(model.name)) return model;
  return { ...model, versions: [], problem: `"${model.name}" is no name: it takes letters, digits, ".", "_" and "-"` };
}

function withoutTwins(models: readonly LocalModel[]): readonly LocalModel[] {
  const byName = new Map<string, LocalModel>();
  for (const model of models) {
    const twin = byName.get(model.name);
    byName.set(
      model.name,
      twin === undefined ? model : { ...twin, versions: [], problem: `${twin.path} and ${model.path} have one name` },
    );
  }
  return [...byName.values()];
}
