import { basename, join, resolve, sep } from 'node:path';
import { isFile, readIfThere } from './local-files.ts';
import type { LocalModel, LocalVersion } from './local-model.ts';

/** The file that makes a folder a model of MLflow. https://mlflow.org/docs/latest/ml/model/ */
const descriptionFile = 'MLmodel';

export const isMlflowModel = (folder: string): Promise<boolean> => isFile(join(folder, descriptionFile));

/** A folder that MLflow has saved: its ONNX file where it has that flavour, else what Python makes of it. */
export async function readMlflowModel(folder: string, name = basename(folder), version = '1'): Promise<LocalModel> {
  const found = await findVersion(folder, version);
  return typeof found === 'string'
    ? { name, path: folder, versions: [], warnings: [], problem: found }
    : { name, path: folder, versions: [found], warnings: [] };
}

async function findVersion(folder: string, version: string): Promise<LocalVersion | string> {
  const path = join(folder, descriptionFile);
  const { parse, YAMLError } = await import('yaml'); // a tenth of a start, for models of MLflow alone
  let flavors: unknown;
  try {
    const description: unknown = parse((await readIfThere(path)) ?? '');
    flavors = isRecord(description) ? description['flavors'] : undefined;
  } catch (error) {
    if (error instanceof YAMLError) return `${path}: ${error.message}`;
    throw error;
  }
  if (!isRecord(flavors)) return `${path} has no "flavors"`;
  const onnx = flavors['onnx'];
  if (isRecord(onnx) && typeof onnx['data'] === 'string') {
    const file = resolve(folder, onnx['data']);
    if (!file.startsWith(resolve(folder) + sep)) return `${path} names a file outside its folder: ${onnx['data']}`;
    // beside the file may lie its weights, as a folder of that name
    const inside = (await isFile(file)) ? file : join(file, 'model.onnx');
    return (await isFile(inside)) ? { version, runtime: 'onnx', path: inside } : `${file} is missing`;
  }
  if (flavors['python_function'] !== undefined) return { version, runtime: 'python', path: folder };
  return `${path} has the flavours ${Object.keys(flavors).join(', ')}; "onnx" and "python_function" are served here`;
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
