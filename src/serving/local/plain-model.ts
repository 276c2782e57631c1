import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findRunnable } from '#contracts/servable-version';
import type { LocalModel } from './local-model.ts';

/**
 * A folder that is a model by the names of its files, as a version of a registry is (docs/python-models.md): a `model.py`,
 * a `command.json`, or one file of a model with what it needs beside it, as a `requirements.txt`.
 * @param isByOneFile whether one file of a model makes the folder a model
 */
export async function readPlainModel(folder: string, isByOneFile: boolean): Promise<LocalModel | undefined> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'));
  const found = findRunnable(files.map(({ name }) => ({ path: name })));
  if (found === undefined) return undefined;
  const { runtime, main } = found;
  if (!isByOneFile && main !== 'model.py' && main !== 'command.json') return undefined;
  const version =
    runtime === 'onnx'
      ? ({ version: '1', runtime, path: join(folder, main) } as const)
      : ({ version: '1', runtime, path: folder, main } as const);
  return { name: basename(folder), path: folder, versions: [version], warnings: [] };
}
