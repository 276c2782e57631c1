import { basename, join, resolve } from 'node:path';
import { datatypes, type ModelSignature, type TensorSignature } from '#contracts/tensor';
import { isFile, readIfThere } from './local-files.ts';
import type { LocalModel } from './local-model.ts';
import { isMlflowModel, isRecord, readMlflowModel } from './mlflow-model.ts';

/** The file that makes a folder a model of MLServer. https://mlserver.readthedocs.io/en/latest/reference/model-settings.html */
const settingsFile = 'model-settings.json';

export const isMlserverModel = (folder: string): Promise<boolean> => isFile(join(folder, settingsFile));

/** What its runtimes look for when the settings name no file. */
const usualFiles: Readonly<Record<string, readonly string[]>> = {
  'mlserver_sklearn.SKLearnModel': ['model.joblib', 'model.pickle', 'model.pkl'],
  'mlserver_xgboost.XGBoostModel': ['model.bst', 'model.json', 'model.ubj'],
  'mlserver_lightgbm.LightGBMModel': ['model.bst'],
};
const mlflowRuntime = 'mlserver_mlflow.MLflowRuntime';
const known: ReadonlySet<string> = new Set([
  'name',
  'implementation',
  'parameters',
  'inputs',
  'outputs',
  'max_batch_size',
  'max_batch_time',
  'platform',
  'versions',
]);

export async function readMlserverModel(folder: string): Promise<LocalModel> {
  const file = join(folder, settingsFile);
  const refuse = (problem: string): LocalModel => ({
    name: basename(folder),
    path: folder,
    versions: [],
    warnings: [],
    problem,
  });
  let settings: unknown;
  try {
    settings = JSON.parse((await readIfThere(file)) ?? '');
  } catch (error) {
    return refuse(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isRecord(settings)) return refuse(`${file} is no object`);
  const {
    name = basename(folder),
    implementation,
    parameters = {},
    max_batch_size: maxBatchRows,
    max_batch_time: delaySeconds,
  } = settings;
  if (typeof name !== 'string' || name === '') return refuse(`"name" in ${file} is no text`);
  if (typeof implementation !== 'string') return refuse(`"implementation" in ${file} is missing`);
  if (!isRecord(parameters)) return refuse(`"parameters" in ${file} is no object`);
  const { uri, version = '1' } = parameters;
  if (uri !== undefined && (typeof uri !== 'string' || /^[a-z][a-z0-9+.-]+:\/\//i.test(uri)))
    return refuse(`"parameters.uri" in ${file} must be a path on this machine`);
  const warnings = Object.keys(settings)
    .filter((key) => !known.has(key))
    .map((key) => `"${key}" in ${file} has no effect here`);
  const batching = {
    ...(Number.isSafeInteger(maxBatchRows) && Number(maxBatchRows) > 0 && { maxBatchRows: Number(maxBatchRows) }),
    ...(typeof delaySeconds === 'number' && delaySeconds > 0 && { maxBatchDelayMs: delaySeconds * 1_000 }),
  };

  if (implementation === mlflowRuntime) {
    const model = resolve(folder, uri ?? '.');
    if (!(await isMlflowModel(model))) return refuse(`${join(model, 'MLmodel')} is missing`);
    const read = await readMlflowModel(model, name, String(version));
    return { ...read, path: folder, warnings, versions: read.versions.map((one) => ({ ...one, ...batching })) };
  }
  const usual = usualFiles[implementation];
  if (usual === undefined)
    return refuse(
      `its implementation "${implementation}" is not served here; ${[mlflowRuntime, ...Object.keys(usualFiles)].join(', ')} are`,
    );
  const candidates = (uri === undefined ? usual : [uri]).map((candidate) => resolve(folder, candidate));
  const there = await Promise.all(candidates.map(isFile));
  const path = candidates[there.indexOf(true)];
  if (path === undefined) return refuse(`${candidates.join(' or ')} is missing`);
  const signature = toSignature(settings);
  if (typeof signature === 'string') return refuse(`${file}: ${signature}`);
  return {
    name,
    path: folder,
    warnings,
    versions: [
      {
        version: String(version),
        runtime: 'python',
        path,
        ...(signature !== undefined && { signature }),
        ...batching,
      },
    ],
  };
}

function toSignature(settings: Readonly<Record<string, unknown>>): ModelSignature | undefined | string {
  const problems: string[] = [];
  const toTensor = (side: string, value: unknown): TensorSignature[] => {
    const { name, datatype, shape } = isRecord(value) ? value : {};
    const type = datatypes.find((one) => one === datatype);
    if (typeof name === 'string' && type !== undefined && Array.isArray(shape) && shape.every(isDimension))
      return [{ name, datatype: type, shape }];
    problems.push(`${side} need a "name", a "datatype" and a "shape" of numbers from -1 on`);
    return [];
  };
  const read = (side: 'inputs' | 'outputs') => {
    const given = settings[side] ?? [];
    return Array.isArray(given) ? given.flatMap((value) => toTensor(side, value)) : [];
  };
  const [inputs, outputs] = [read('inputs'), read('outputs')];
  if (problems.length > 0) return [...new Set(problems)].join('; ');
  return inputs.length === 0 ? undefined : { inputs, outputs };
}

const isDimension = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= -1;
